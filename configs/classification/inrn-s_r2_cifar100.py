# INRN-S. Compression 2, the coefficient of INRN-M and L.
_base_ = './inrn-s_cifar100.py'

model = dict(backbone=dict(compression=2))
