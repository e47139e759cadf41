# FitNet: one hint at the end of the second stage. The paper has no detector
# and the weight of 100 is one of CIFAR-100; here Eq. 3's weight of 1.
distill = dict(
    type='KnowledgeDistiller',
    distill_losses=[
        dict(
            type='FitNetLoss',
            pairs=[(1, 1)],
            connector=dict(type='HintRegressor', norm_cfg=dict(type='SyncBN')),
            weight=1.0,
        )
    ],
)
