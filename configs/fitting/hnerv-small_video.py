# HNeRV of the size of inrn-plus-small_video.py at 96 x 160, with the loss and
# learning rate that did best there.
_base_ = './hnerv_video.py'

model = dict(net=dict(width=33), loss=dict(alpha=0.7, norm='l1'))
train_dataloader = dict(batch_size=1)
optim_wrapper = dict(optimizer=dict(lr=5e-3))
