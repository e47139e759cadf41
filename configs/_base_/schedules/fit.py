# Adam with warm-up and a cosine (HNeRV's). The schedule is in thousandths
# of the training, whose length may be epochs, steps or, by
# default_hooks.param_scheduler.max_seconds, a time.
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='FusedAdam', lr=5e-4, betas=(0.9, 0.999))
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=1000, T_max=900, eta_min=0),
]
# A video: one frame in a step, NeRV's 300 epochs. Images count steps.
train_cfg = dict(type='FitTrainLoop', max_epochs=300, val_interval=10)
val_cfg = dict(type='FitValLoop')
test_cfg = dict(type='FitTestLoop')
