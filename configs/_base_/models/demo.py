# Narrow necks and heads for small images of digits; the backbones are whole. A
# leaf has mmdet's model beside this file, and takes its parts from here.
_channels = 64
narrow = dict(
    neck=dict(out_channels=_channels, num_outs=4),
    rpn_head=dict(
        in_channels=_channels,
        feat_channels=_channels,
        anchor_generator=dict(scales=[5], strides=[4, 8, 16, 32]),
    ),
    roi_head=dict(
        bbox_roi_extractor=dict(out_channels=_channels),
        bbox_head=dict(in_channels=_channels, fc_out_channels=128, num_classes=10),
    ),
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=200, max_per_img=100),
        rcnn=dict(sampler=dict(num=64, pos_fraction=0.5)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=50), rcnn=dict(max_per_img=30)),
)
narrow_masks = dict(
    mask_roi_extractor=dict(out_channels=_channels),
    mask_head=dict(num_convs=2, in_channels=_channels, conv_out_channels=_channels, num_classes=10),
)
inrn_m = dict(_delete_=True, type='INRN', arch='m', norm_cfg=dict(type='BN'))
# The teachers are ResNet-101 from scratch, at half of the students' learning
# rate, with which so deep a network learns faster.
r101 = dict(depth=101, frozen_stages=-1, norm_eval=False, zero_init_residual=True, init_cfg=None)
r101_lr = 0.001
