# SIREN on pixels of a video, in tiles of several frames.
_base_ = [
    '../_base_/models/signal_fitter.py',
    '../_base_/datasets/signal.py',
    '../_base_/schedules/fit.py',
    '../_base_/fitting_runtime.py',
]

model = dict(net=dict(type='SIREN', width=1024, num_layers=3), loss=dict(alpha=1.0), tile=128)
train_dataloader = dict(batch_size=4)
optim_wrapper = dict(optimizer=dict(lr=1e-4))
