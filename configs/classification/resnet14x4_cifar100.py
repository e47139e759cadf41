# ResNet-14x4 for CIFAR-100: as many parameters as INRN-S.
_base_ = [
    '../_base_/models/classifier_cifar100.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar100_crd.py',
    '../_base_/classification_runtime.py',
]

model = dict(backbone=dict(type='CIFARResNet', arch='14x4'), head=dict(in_channels=256))
