# ResNet-56 for CIFAR-100, of the CRD benchmark.
_base_ = [
    './_base_/cifar100.py', './_base_/schedule_crd.py', './_base_/runtime.py'
]

model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    backbone=dict(type='CIFARResNet', arch='56'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=100,
        in_channels=64,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.)))
