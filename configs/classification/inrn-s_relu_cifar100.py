# INRN-S. ReLU in place of GELU.
_base_ = './inrn-s_cifar100.py'

model = dict(backbone=dict(act_cfg=dict(type='ReLU')))
