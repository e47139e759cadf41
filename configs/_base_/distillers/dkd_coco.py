# DKD between the class logits of the RoI heads, on the same proposals, with
# alpha, beta and temperature of the paper's Faster R-CNN.
distill = dict(
    type='KnowledgeDistiller',
    distill_losses=[
        dict(
            type='DecoupledKDLoss',
            pairs=[('roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_cls')],
            same_proposals=True,
            label_layer='roi_head.bbox_head.loss_cls:input[1]',
            alpha=1.0,
            beta=0.25,
            temperature=1.0,
            weight=1.0,
        )
    ],
)
