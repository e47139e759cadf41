# INRN-S. Compression 4.
_base_ = './inrn-s_cifar100.py'

model = dict(backbone=dict(compression=4))
