# INRN-M on ImageNet-1k, from scratch: 100 epochs, 8 x 32 images.
_base_ = [
    '../_base_/models/classifier.py',
    '../_base_/datasets/imagenet.py',
    'mmpretrain::_base_/schedules/imagenet_bs256.py',
    '../_base_/classification_runtime.py',
]

model = dict(backbone=dict(type='INRN', arch='m'), head=dict(num_classes=1000, in_channels=512))
