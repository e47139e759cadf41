# INRN-M. Compression 4.
_base_ = './inrn-m_imagenet.py'

model = dict(backbone=dict(compression=4))
