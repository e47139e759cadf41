# INRN-S. Layer norm.
_base_ = './inrn-s_cifar100.py'

model = dict(backbone=dict(norm_cfg=dict(type='LN2d')))
