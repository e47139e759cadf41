# DIST between the class logits of the RoI heads, on the same proposals, whose
# rows take the place of images. Weights are those of the paper's ImageNet.
distill = dict(
    type='KnowledgeDistiller',
    distill_losses=[
        dict(
            type='DISTLoss',
            pairs=[('roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_cls')],
            same_proposals=True,
            beta=2.0,
            gamma=2.0,
            temperature=1.0,
            schedule=dict(warmup=500),
        )
    ],
)
