# CWD on all levels of both FPNs, as MMRazor has it for Faster R-CNN.
distill = dict(
    type='KnowledgeDistiller',
    distill_losses=[
        dict(
            type='ChannelWiseLoss',
            pairs=[(f'neck[{i}]', f'neck[{i}]') for i in range(5)],
            temperature=1.0,
            weight=10.0,
        )
    ],
)
