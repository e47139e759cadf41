# MGD on the levels P2-P5 of both FPNs, as the paper has it for two-stage
# detectors.
distill = dict(
    type='KnowledgeDistiller',
    distill_losses=[
        dict(
            type='MaskedGenerativeLoss',
            pairs=[(f'neck[{i}]', f'neck[{i}]') for i in range(4)],
            mask_ratio=0.45,
            weight=5e-7,
        )
    ],
)
