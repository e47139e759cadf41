# ResNet-14x4 for CIFAR-100: as many parameters as INRN-S.
_base_ = [
    './_base_/classifier_cifar100.py',
    './_base_/cifar100.py',
    './_base_/schedule_crd.py',
    './_base_/runtime.py',
]

model = dict(backbone=dict(type='CIFARResNet', arch='14x4'), head=dict(in_channels=256))
