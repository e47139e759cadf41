# The student of BCCD without a teacher: INRN-M in a YOLOX, from scratch.
_base_ = [
    '../_base_/models/yolox_narrow.py',
    '../_base_/datasets/bccd.py',
    '../_base_/schedules/bccd.py',
    '../_base_/demo_runtime.py',
]

model = dict(
    backbone=dict(type='INRN', arch='m', out_indices=(1, 2, 3), norm_cfg=dict(type='BN')),
    neck=dict(in_channels=[128, 256, 512]),
)
