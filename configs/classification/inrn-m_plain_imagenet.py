# INRN-M. Without the residual connections.
_base_ = './inrn-m_imagenet.py'

model = dict(backbone=dict(residual=False))
