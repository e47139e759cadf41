# FGD on the levels P2-P5 of both FPNs, as the paper has it for Faster R-CNN.
distill = dict(
    type='KnowledgeDistiller',
    distill_losses=[
        dict(
            type='FocalGlobalLoss',
            pairs=[(f'neck[{i}]', f'neck[{i}]') for i in range(4)],
            temperature=0.5,
            alpha=5e-5,
            beta=2.5e-5,
            gamma=5e-5,
            lambda_=5e-7,
        )
    ],
)
