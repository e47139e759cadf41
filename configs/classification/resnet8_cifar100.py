# ResNet-8 for CIFAR-100, of the CRD benchmark.
_base_ = [
    './_base_/classifier_cifar100.py',
    './_base_/cifar100.py',
    './_base_/schedule_crd.py',
    './_base_/runtime.py',
]

model = dict(backbone=dict(type='CIFARResNet', arch='8'), head=dict(in_channels=64))
