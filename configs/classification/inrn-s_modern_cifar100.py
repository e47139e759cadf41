# INRN-S for CIFAR-100 with today's recipe.
_base_ = './_base_/schedule_modern.py'

model = dict(
    _scope_='mmpretrain',
    type='ImageClassifier',
    backbone=dict(type='INRN', arch='s'),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(
        type='LinearClsHead',
        num_classes=100,
        in_channels=128,
        loss=dict(
            type='LabelSmoothLoss', label_smooth_val=0.1, mode='original')))
