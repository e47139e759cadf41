# The classification demo's student without a teacher: INRN-S, from scratch.
_base_ = [
    '../_base_/datasets/demo_digits.py',
    '../_base_/schedules/demo_digits.py',
    '../_base_/classification_runtime.py',
]

model = dict(
    type='ImageClassifier',
    backbone=dict(type='INRN', arch='s', out_indices=-1),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=10, in_channels=128),
)
default_hooks = dict(logger=dict(interval=10, ignore_last=False), checkpoint=dict(save_best=None))
log_processor = dict(window_size=10)
