# CWD on the last stage; for classifiers it has no published setting, so these
# are those of detectors.
distill_losses = [dict(type='ChannelWiseLoss', pairs=[(3, 3)])]
