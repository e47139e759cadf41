# DIST with the paper's weights and temperature of CIFAR-100.
distill_losses = [
    dict(
        type='DISTLoss',
        pairs=[('head.fc', 'head.fc')],
        beta=2.0,
        gamma=2.0,
        temperature=4.0)
]
