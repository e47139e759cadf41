# What all fits share: Adam with warm-up and a cosine (HNeRV's), the
# loops over frame numbers, PSNR and SSIM. The schedule is in thousandths of
# the training, whose length may be epochs, steps or, by
# default_hooks.param_scheduler.max_seconds, a time.
custom_imports = dict(imports=['inrn_mm'], allow_failed_imports=False)
default_scope = 'mmengine'

model = dict(
    type='SignalFitter',
    signal=dict(path='{{$INRN_FIT_INPUT:data/bunny}}'),
    loss=dict(type='FittingLoss', alpha=0.7, norm='mse'),
)

train_dataloader = dict(batch_size=1)
val_dataloader = dict(batch_size=4)
test_dataloader = val_dataloader
val_cfg = dict(type='FitValLoop')
test_cfg = dict(type='FitTestLoop')
val_evaluator = [dict(type='PSNR'), dict(type='SSIM')]
test_evaluator = val_evaluator

optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='FusedAdam', lr=5e-4, betas=(0.9, 0.999))
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=100),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=100, end=1000, T_max=900, eta_min=0),
]

default_hooks = dict(
    param_scheduler=dict(type='BudgetHook'),
    logger=dict(type='LoggerHook', interval=50),
    checkpoint=dict(type='AtomicCheckpointHook', by_epoch=False, interval=1000, max_keep_ckpts=1),
)
log_processor = dict(by_epoch=False, window_size=1)
custom_hooks = [dict(type='NonFiniteLossHook')]
randomness = dict(seed=0)
