# The demo's student without a teacher: INRN-M, trained from scratch.
_base_ = [
    '../_base_/models/demo_mask-rcnn.py',
    '../_base_/datasets/demo_instance.py',
    '../_base_/schedules/demo_detection.py',
    '../_base_/demo_runtime.py',
]

model = dict(
    backbone=dict(_delete_=True, type='INRN', arch='m', norm_cfg=dict(type='BN')),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
