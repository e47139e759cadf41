# INRN-M. ReLU in place of GELU.
_base_ = './inrn-m_imagenet.py'

model = dict(backbone=dict(act_cfg=dict(type='ReLU')))
