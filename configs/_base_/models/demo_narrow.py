# Narrow necks and heads for small images of digits; the backbones are whole.
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
