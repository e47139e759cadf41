# INRe blocks on pixel coordinates (Fig. 1b), with as many frequencies as the
# image's pixels tell apart.
_base_ = [
    '../_base_/models/signal_fitter.py',
    '../_base_/datasets/signal.py',
    '../_base_/schedules/fit.py',
    '../_base_/fitting_runtime.py',
]

model = dict(
    net=dict(
        type='SingleStageINRN',
        kind='pixel',
        arch=dict(widths=[64], blocks=3),
        compression=1,
        levels=None,
    ),
    tile=256,
)
optim_wrapper = dict(optimizer=dict(lr=1.5e-2))
train_cfg = dict(_delete_=True, type='FitTrainLoop', max_iters=5000, val_interval=500)
