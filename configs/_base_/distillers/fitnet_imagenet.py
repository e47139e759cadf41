# FitNet: a hint at the end of stage 2. The weight of 100 is one of
# CIFAR-100; here Eq. 3's weight of 1.
distill_losses = [dict(type='FitNetLoss', pairs=[(1, 1)], weight=1.0)]
