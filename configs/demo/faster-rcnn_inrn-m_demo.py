# The demo's student without a teacher: INRN-M, trained from scratch.
_base_ = ['./_base_/faster-rcnn_narrow.py', './_base_/demo_detection.py']

model = dict(
    backbone=dict(_delete_=True, type='INRN', arch='m', norm_cfg=dict(type='BN')),
    neck=dict(in_channels=[64, 128, 256, 512]),
)
