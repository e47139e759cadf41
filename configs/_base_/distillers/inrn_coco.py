# What the distilled detectors share: Eq. 3 between the four stages.
distill = dict(
    type='KnowledgeDistiller',
    distill_losses=[dict(type='StageMSELoss', pairs=[(0, 0), (1, 1), (2, 2), (3, 3)], weight=1.0)],
)
