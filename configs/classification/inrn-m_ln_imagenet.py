# INRN-M. Layer norm.
_base_ = './inrn-m_imagenet.py'

model = dict(backbone=dict(norm_cfg=dict(type='LN2d')))
