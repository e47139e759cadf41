# KD with DKD's temperature and weights of ImageNet; the other half of the
# task's is in the head.
distill_losses = [
    dict(type='LogitKDLoss', pairs=[('head.fc', 'head.fc')], temperature=1.0, weight=0.5)
]
