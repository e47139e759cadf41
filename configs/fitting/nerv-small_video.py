# NeRV of the size of inrn-plus-small_video.py at 96 x 160, with the learning
# rate that did best there.
_base_ = './nerv_video.py'

model = dict(net=dict(arch=8, min_width=24, stem_width=128, strides=(1, 2, 2, 2, 2)))
optim_wrapper = dict(optimizer=dict(lr=1e-2))
