# MGD as its paper has it for classifiers, on the last stage.
distill_losses = [
    dict(type='MaskedGenerativeLoss', pairs=[(3, 3)], mask='channels', mask_ratio=0.15, weight=7e-5)
]
