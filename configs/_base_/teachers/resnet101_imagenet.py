# mmpretrain's ResNet-101: 77.97 top-1.
teacher = 'mmpretrain::resnet/resnet101_8xb32_in1k.py'
teacher_checkpoint = 'https://mmassets.onedl.ai/mmclassification/v0/resnet/resnet101_8xb32_in1k_20210831-539c63f8.pth'
