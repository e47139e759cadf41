_base_ = ['mmdet::_base_/models/faster-rcnn_r50_fpn.py', './demo_narrow.py']

model = _base_.narrow
