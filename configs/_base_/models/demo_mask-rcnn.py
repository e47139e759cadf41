_base_ = ['mmdet::_base_/models/mask-rcnn_r50_fpn.py', './demo_narrow.py']

model = _base_.narrow
model.roi_head.mask_roi_extractor = dict(out_channels=64)
model.roi_head.mask_head = dict(num_convs=2, in_channels=64, conv_out_channels=64, num_classes=10)
