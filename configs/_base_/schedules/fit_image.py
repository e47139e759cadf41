# An image: whole-image steps, or tiles by model.tile.
_base_ = './fit.py'

train_cfg = dict(type='FitTrainLoop', max_iters=5000, val_interval=500)
