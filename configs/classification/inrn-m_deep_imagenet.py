# INRN-M. The deep stem: three 3x3 convolutions.
_base_ = './inrn-m_imagenet.py'

model = dict(backbone=dict(stem='deep'))
