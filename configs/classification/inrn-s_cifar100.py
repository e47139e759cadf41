# INRN-S for CIFAR-100, from scratch.
_base_ = [
    './_base_/classifier_cifar100.py',
    './_base_/cifar100.py',
    './_base_/schedule_crd.py',
    './_base_/runtime.py',
]

model = dict(backbone=dict(type='INRN', arch='s'), head=dict(in_channels=128))
