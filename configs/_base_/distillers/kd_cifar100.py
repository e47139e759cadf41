# KD with CRD's temperature and weight; its 0.1 of the task loss is in the
# head.
distill_losses = [
    dict(type='LogitKDLoss', pairs=[('head.fc', 'head.fc')], temperature=4.0, weight=0.9)
]
