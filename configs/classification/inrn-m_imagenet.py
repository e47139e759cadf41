# INRN-M on ImageNet-1k, from scratch: 100 epochs, 8 x 32 images.
_base_ = [
    './_base_/classifier.py',
    './_base_/imagenet.py',
    'mmpretrain::_base_/schedules/imagenet_bs256.py',
    './_base_/runtime.py',
]

model = dict(backbone=dict(type='INRN', arch='m'), head=dict(num_classes=1000, in_channels=512))
