# Data, schedule and runtime of the classification demo: seconds on two CPU
# cores. The set is made by `python -m tools.demo.digits`; its folder is
# work_dirs/demo-classification/data or the environment's INRN_DIGITS_ROOT.
_base_ = 'mmpretrain::_base_/default_runtime.py'

custom_imports = dict(imports=['inrn_mm'], allow_failed_imports=False)
data_root = '{{$INRN_DIGITS_ROOT:work_dirs/demo-classification/data}}'
data_preprocessor = dict(num_classes=10, mean=[80.0] * 3, std=[90.0] * 3, to_rgb=True)
# No flips: a mirrored digit is none.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='RandomCrop', crop_size=16, padding=1),
    dict(type='PackInputs'),
]
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
train_dataloader = dict(
    batch_size=10,
    num_workers=1,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(type='CustomDataset', data_prefix=data_root + '/train', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=100,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='CustomDataset', data_prefix=data_root + '/val', pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1, 5))
test_evaluator = val_evaluator

max_epochs = 8
train_cfg = dict(by_epoch=True, max_epochs=max_epochs)
val_cfg = dict()
test_cfg = dict()
optim_wrapper = dict(
    optimizer=dict(type='FusedAdamW', lr=0.005, weight_decay=0.05), clip_grad=dict(max_norm=5)
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, begin=0, end=20),
    dict(type='CosineAnnealingLR', T_max=max_epochs, by_epoch=True, convert_to_iter_based=True),
]
default_hooks = dict(
    logger=dict(interval=10, ignore_last=False),
    checkpoint=dict(type='AtomicCheckpointHook', max_keep_ckpts=1),
)
custom_hooks = [dict(type='NonFiniteLossHook')]
log_processor = dict(window_size=10)
