# Today's recipe on CIFAR-100: warm-up and cosine, RandAugment and cutout, an
# average of the weights, mixed precision (of bfloat16 without a GPU). Label
# smoothing is the head's, see the models.
_base_ = ['../datasets/cifar100.py', '../classification_runtime.py']

data_preprocessor = dict(
    transforms=[
        dict(type='BatchCropFlip', padding=4),
        dict(type='BatchRandAugment', num_ops=1, magnitude=9.0),
        dict(type='BatchCutout', size=8),
    ]
)
train_dataloader = dict(batch_size=256)
optim_wrapper = dict(
    type='AmpOptimWrapper',
    optimizer=dict(type='SGD', lr=0.2, momentum=0.9, weight_decay=5e-4, nesterov=True),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
max_epochs = 240
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.01,
        by_epoch=True,
        begin=0,
        end=5,
        convert_to_iter_based=True,
    ),
    dict(
        type='CosineAnnealingLR',
        T_max=max_epochs - 5,
        by_epoch=True,
        begin=5,
        end=max_epochs,
        convert_to_iter_based=True,
    ),
]
train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=5)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=256)
custom_hooks = [
    dict(type='NonFiniteLossHook'),
    dict(type='EMAHook', momentum=1e-3, priority='ABOVE_NORMAL'),
]
