# INRN-S for CIFAR-100 with today's recipe.
_base_ = ['../_base_/models/classifier_cifar100.py', '../_base_/schedules/cifar100_modern.py']

model = dict(
    backbone=dict(type='INRN', arch='s'),
    head=dict(
        in_channels=128,
        loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
    ),
)
