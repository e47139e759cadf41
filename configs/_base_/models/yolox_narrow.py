# YOLOX with the narrow neck and head of YOLOX-nano, for three classes. A leaf gives it
# a backbone. The loss is YOLOX's; images are not normalized, as there.
_width = 64
_norm = dict(type='BN', momentum=0.03, eps=0.001)
_act = dict(type='Swish')
model = dict(
    type='YOLOX',
    data_preprocessor=dict(type='DetDataPreprocessor', pad_size_divisor=32),
    neck=dict(
        type='YOLOXPAFPN',
        out_channels=_width,
        num_csp_blocks=1,
        use_depthwise=True,
        norm_cfg=_norm,
        act_cfg=_act,
    ),
    bbox_head=dict(
        type='YOLOXHead',
        num_classes=3,
        in_channels=_width,
        feat_channels=_width,
        use_depthwise=True,
        norm_cfg=_norm,
        act_cfg=_act,
    ),
    train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
    test_cfg=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.65)),
)
