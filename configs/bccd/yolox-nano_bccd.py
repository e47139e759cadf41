# The teacher of BCCD: YOLOX-nano with the weights of COCO, fine-tuned. They are made by
# tools/model_converters/yolox_from_onnx.py and given by --cfg-options load_from=FILE.
_base_ = [
    '../_base_/models/yolox_narrow.py',
    '../_base_/datasets/bccd.py',
    '../_base_/schedules/bccd.py',
    '../_base_/demo_runtime.py',
]

model = dict(
    backbone=dict(
        type='CSPDarknet',
        deepen_factor=0.33,
        widen_factor=0.25,
        use_depthwise=True,
        norm_cfg=dict(type='BN', momentum=0.03, eps=0.001),
        act_cfg=dict(type='Swish'),
    ),
    neck=dict(in_channels=[64, 128, 256]),
)

max_epochs = 20
train_cfg = dict(max_epochs=max_epochs, val_interval=4)
param_scheduler = [_base_.param_scheduler[0], _base_.param_scheduler[1]]
param_scheduler[1].T_max = max_epochs
