# The demo's teacher: ResNet101-FPN, trained from scratch.
_base_ = ['./_base_/mask-rcnn_narrow.py', './_base_/demo_instance.py']

model = dict(
    backbone=dict(
        depth=101,
        frozen_stages=-1,
        norm_eval=False,
        zero_init_residual=True,
        init_cfg=None))

max_epochs = 3
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [_base_.param_scheduler[0], _base_.param_scheduler[1]]
param_scheduler[1].T_max = max_epochs
# half of the students': so deep a network learns faster with it
optim_wrapper = dict(optimizer=dict(lr=0.001))
