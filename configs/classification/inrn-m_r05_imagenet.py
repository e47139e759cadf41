# INRN-M. Compression 0.5.
_base_ = './inrn-m_imagenet.py'

model = dict(backbone=dict(compression=0.5))
