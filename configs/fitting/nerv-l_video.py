# NeRV-L: 12.5 million parameters at 720 x 1280.
_base_ = './nerv_video.py'

model = dict(net=dict(arch='l'))
