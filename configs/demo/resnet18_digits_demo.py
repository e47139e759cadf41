# The classification demo's teacher: a narrow ResNet-18 of three stages. It
# learns from all images of the pool, where the students see only some.
_base_ = [
    '../_base_/datasets/demo_digits.py',
    '../_base_/schedules/demo_digits.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='ResNet_CIFAR',
        depth=18,
        num_stages=3,
        strides=(1, 2, 2),
        dilations=(1, 1, 1),
        out_indices=(2,),
        stem_channels=16,
        base_channels=16,
    ),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=64),
)
max_epochs = 6
train_dataloader = dict(batch_size=32, dataset=dict(data_prefix=_base_.data_root + '/pool'))
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = [_base_.param_scheduler[0], _base_.param_scheduler[1]]
param_scheduler[1].T_max = max_epochs
default_hooks = dict(logger=dict(interval=10, ignore_last=False), checkpoint=dict(save_best=None))
log_processor = dict(window_size=10)
