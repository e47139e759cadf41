# DKD with the paper's settings of ResNet-34 -> 18.
distill_losses = [
    dict(
        type='DecoupledKDLoss',
        pairs=[('head.fc', 'head.fc')],
        alpha=1.0,
        beta=0.5,
        temperature=1.0,
        schedule=dict(warmup=1, by_epoch=True),
    )
]
