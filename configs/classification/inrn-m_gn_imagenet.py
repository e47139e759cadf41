# INRN-M. Group norm.
_base_ = './inrn-m_imagenet.py'

model = dict(backbone=dict(norm_cfg=dict(type='GN', num_groups=32)))
