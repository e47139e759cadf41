# HNeRV of 1.5 million parameters (640 x 1280); L2 as in its paper.
_base_ = [
    '../_base_/models/signal_fitter.py',
    '../_base_/datasets/signal.py',
    '../_base_/schedules/fit.py',
    '../_base_/fitting_runtime.py',
]

model = dict(net=dict(type='HNeRV', width=68), loss=dict(alpha=1.0, norm='mse'))
train_dataloader = dict(batch_size=2)
optim_wrapper = dict(optimizer=dict(lr=1e-3))
