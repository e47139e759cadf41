# SIREN with its paper's loss; 1e-4 there, for ten times the steps.
_base_ = [
    '../_base_/models/signal_fitter.py',
    '../_base_/datasets/signal.py',
    '../_base_/schedules/fit.py',
    '../_base_/fitting_runtime.py',
]

model = dict(net=dict(type='SIREN', width=256, num_layers=3), loss=dict(alpha=1.0), tile=256)
optim_wrapper = dict(optimizer=dict(lr=5e-4))
train_cfg = dict(_delete_=True, type='FitTrainLoop', max_iters=5000, val_interval=500)
