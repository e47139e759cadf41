# The demo's teacher: ResNet101-FPN, trained from scratch.
_base_ = [
    'mmdet::_base_/models/mask-rcnn_r50_fpn.py',
    '../_base_/models/demo.py',
    '../_base_/datasets/demo_instance.py',
    '../_base_/schedules/demo_detection.py',
    '../_base_/demo_runtime.py',
]

model = _base_.narrow
model.roi_head.update(_base_.narrow_masks)
model.backbone = _base_.r101
max_epochs = 3
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [_base_.param_scheduler[0], _base_.param_scheduler[1]]
param_scheduler[1].T_max = max_epochs
optim_wrapper = dict(optimizer=dict(lr=_base_.r101_lr))
