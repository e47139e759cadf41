# INRN-M on ImageNet-1k, from scratch: 100 epochs, 8 x 32 images.
_base_ = [
    './_base_/imagenet.py', 'mmpretrain::_base_/schedules/imagenet_bs256.py',
    './_base_/runtime.py'
]

model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    backbone=dict(type='INRN', arch='m'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=512,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.)))
