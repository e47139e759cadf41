# ReviewKD on all levels of both FPNs, with the paper's width and weight for
# Faster and Mask R-CNN.
distill = dict(
    type='KnowledgeDistiller',
    distill_losses=[
        dict(
            type='ReviewLoss',
            pairs=[(f'neck[{i}]', f'neck[{i}]') for i in range(5)],
            mid_channels=256,
            norm_cfg=dict(type='SyncBN'),
            weight=1.0,
        )
    ],
)
