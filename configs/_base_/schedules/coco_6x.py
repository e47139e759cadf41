# For networks trained from scratch: 72 epochs, no decay of norms.
_base_ = 'mmdet::_base_/schedules/schedule_1x.py'

max_epochs = 72
train_cfg = dict(max_epochs=max_epochs, val_interval=4)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(
        type='MultiStepLR', begin=0, end=max_epochs, by_epoch=True, milestones=[64, 70], gamma=0.1
    ),
]
optim_wrapper = dict(
    paramwise_cfg=dict(norm_decay_mult=0.0), clip_grad=dict(max_norm=35, norm_type=2)
)
