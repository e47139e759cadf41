# INRN-S for CIFAR-100, from scratch.
_base_ = [
    '../_base_/models/classifier_cifar100.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar100_crd.py',
    '../_base_/classification_runtime.py',
]

model = dict(backbone=dict(type='INRN', arch='s'), head=dict(in_channels=128))
