# INRN-S. Table 2: flat blocks (compression 1).
_base_ = './inrn-s_cifar100.py'

model = dict(backbone=dict(compression=1))
