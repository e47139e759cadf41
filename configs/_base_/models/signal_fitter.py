# A network, which the config names, fitted to an image or a video: a file or a
# folder of frames, data/bunny or the environment's INRN_FIT_INPUT.
model = dict(
    type='SignalFitter',
    signal=dict(path='{{$INRN_FIT_INPUT:data/bunny}}'),
    loss=dict(type='FittingLoss', alpha=0.7, norm='mse'),
)
