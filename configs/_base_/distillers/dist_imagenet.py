# DIST with the paper's settings of ImageNet.
distill_losses = [
    dict(type='DISTLoss', pairs=[('head.fc', 'head.fc')], beta=2.0, gamma=2.0, temperature=1.0)
]
