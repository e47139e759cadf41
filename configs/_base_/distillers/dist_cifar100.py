# DIST with the paper's weights and temperature of CIFAR-100. The warm-up is
# ours: while the head is untrained its logits are all but equal, and the
# gradient of a correlation, 16 times enlarged by the temperature, is huge.
distill_losses = [
    dict(
        type='DISTLoss',
        pairs=[('head.fc', 'head.fc')],
        beta=2.0,
        gamma=2.0,
        temperature=4.0,
        schedule=dict(warmup=100),
    )
]
