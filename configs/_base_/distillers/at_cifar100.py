# Attention transfer at the ends of the stages, with the paper's weight.
distill_losses = [dict(type='AttentionTransferLoss', pairs=[(0, 0), (1, 1), (2, 2)], weight=1000.0)]
