# KD between the class logits of the RoI heads, on the same proposals.
# Temperature and weight are those of DKD's detectors; KD's paper has none.
distill = dict(
    type='KnowledgeDistiller',
    distill_losses=[
        dict(
            type='LogitKDLoss',
            pairs=[('roi_head.bbox_head.fc_cls', 'roi_head.bbox_head.fc_cls')],
            same_proposals=True,
            temperature=1.0,
            weight=1.0,
        )
    ],
)
