# ResNet-8 for CIFAR-100, of the CRD benchmark.
_base_ = [
    '../_base_/models/classifier_cifar100.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar100_crd.py',
    '../_base_/classification_runtime.py',
]

model = dict(backbone=dict(type='CIFARResNet', arch='8'), head=dict(in_channels=64))
