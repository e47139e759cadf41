# The demo's student without a teacher: INRN-M, trained from scratch.
_base_ = [
    'mmdet::_base_/models/faster-rcnn_r50_fpn.py',
    '../_base_/models/demo.py',
    '../_base_/datasets/demo_detection.py',
    '../_base_/schedules/demo_detection.py',
    '../_base_/demo_runtime.py',
]

model = _base_.narrow
model.backbone = _base_.inrn_m
model.neck.in_channels = [64, 128, 256, 512]
