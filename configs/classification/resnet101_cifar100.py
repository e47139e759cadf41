# ResNet-101 for CIFAR-100, mmpretrain's.
_base_ = [
    'mmpretrain::_base_/models/resnet101_cifar.py',
    '../_base_/datasets/cifar100.py',
    '../_base_/schedules/cifar100_crd.py',
    '../_base_/classification_runtime.py',
]

model = dict(head=dict(num_classes=100))
