# INRN-S. Group norm.
_base_ = './inrn-s_cifar100.py'

model = dict(backbone=dict(norm_cfg=dict(type='GN', num_groups=16)))
