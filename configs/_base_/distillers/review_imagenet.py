# ReviewKD with the weight of its paper, after each stage and after pooling.
# The published code means to compare before the activations, which then run in
# place: its figures are of this.
distill_losses = [
    dict(
        type='ReviewLoss',
        pairs=[(0, 0), (1, 1), (2, 2), (3, 3), ('head.fc:input', 'head.fc:input')],
        mid_channels=512,
        weight=1.0,
    )
]
