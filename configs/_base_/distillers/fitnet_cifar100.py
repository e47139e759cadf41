# FitNet in the form of CRD's comparison: a hint at the end of stage 2.
distill_losses = [dict(type='FitNetLoss', pairs=[(1, 1)], weight=100.0)]
