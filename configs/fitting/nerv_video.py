# NeRV-S: 3.2 million parameters at 720 x 1280, and the authors' recipe: swish,
# i / T as the time, betas 0.5 and 0.999, a fifth of the training to warm up.
_base_ = [
    '../_base_/models/signal_fitter.py',
    '../_base_/datasets/signal.py',
    '../_base_/schedules/fit.py',
    '../_base_/fitting_runtime.py',
]

model = dict(net=dict(type='NeRV', arch='s'), loss=dict(alpha=0.7, norm='l1'))
optim_wrapper = dict(optimizer=dict(betas=(0.5, 0.999)))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=200),
    dict(type='CosineAnnealingLR', by_epoch=False, begin=200, end=1000, T_max=800, eta_min=0),
]
