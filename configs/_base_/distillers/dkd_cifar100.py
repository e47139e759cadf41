# DKD with the paper's weights of ResNet-32x4 -> 8x4.
distill_losses = [
    dict(
        type='DecoupledKDLoss',
        pairs=[('head.fc', 'head.fc')],
        alpha=1.0,
        beta=8.0,
        temperature=4.0,
        schedule=dict(warmup=20, by_epoch=True),
    )
]
