# A video: one frame in a step, NeRV's 300 epochs.
_base_ = './fit.py'

train_cfg = dict(type='FitTrainLoop', max_epochs=300, val_interval=10)
