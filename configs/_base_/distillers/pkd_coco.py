# PKD on the levels P2-P5 of both FPNs, with the paper's weight of Faster
# R-CNN; one-stage detectors have 10.
distill = dict(
    type='KnowledgeDistiller',
    distill_losses=[
        dict(type='PearsonLoss', pairs=[(f'neck[{i}]', f'neck[{i}]') for i in range(4)], weight=6.0)
    ],
)
