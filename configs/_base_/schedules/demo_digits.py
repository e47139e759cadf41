# Seconds on two CPU cores.
max_epochs = 8
train_cfg = dict(by_epoch=True, max_epochs=max_epochs)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type='FusedAdamW', lr=0.005, weight_decay=0.05), clip_grad=dict(max_norm=5)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True),
]
