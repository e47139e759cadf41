# NeRV-S: 3.2 million parameters at 720 x 1280.
_base_ = './_base_/video.py'

model = dict(net=dict(type='NeRV', arch='s'), loss=dict(alpha=0.7, norm='l1'))
optim_wrapper = dict(optimizer=dict(betas=(0.5, 0.999)))
