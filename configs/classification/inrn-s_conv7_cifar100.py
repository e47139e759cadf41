# INRN-S. The stem of INRN-M: stride 4.
_base_ = './inrn-s_cifar100.py'

model = dict(backbone=dict(stem='conv7'))
