# INRN-S. The deep stem: three 3x3 convolutions, stride 4.
_base_ = './inrn-s_cifar100.py'

model = dict(backbone=dict(stem='deep'))
