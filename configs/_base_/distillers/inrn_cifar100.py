# Eq. 3 between the stages, equally weighted with the task (Eq. 4).
distill_losses = [dict(type='StageMSELoss', pairs=[(0, 0), (1, 1), (2, 2)], weight=1.0)]
