# ResNet-32x4 for CIFAR-100 with today's recipe.
_base_ = ['../_base_/models/classifier_cifar100.py', '../_base_/schedules/cifar100_modern.py']

model = dict(
    backbone=dict(type='CIFARResNet', arch='32x4'),
    head=dict(
        in_channels=256,
        loss=dict(_delete_=True, type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
    ),
)
