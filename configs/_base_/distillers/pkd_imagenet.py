# PKD on the last stage; for classifiers it has no published setting, so the
# weight is that of detectors.
distill_losses = [dict(type='PearsonLoss', pairs=[(3, 3)])]
