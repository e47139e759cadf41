# INRN-S. Without the residual connections.
_base_ = './inrn-s_cifar100.py'

model = dict(backbone=dict(residual=False))
