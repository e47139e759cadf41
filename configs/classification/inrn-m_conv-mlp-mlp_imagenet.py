# INRN-M. Table 1: the convolution before the MLP layers.
_base_ = './inrn-m_imagenet.py'

model = dict(backbone=dict(order='conv-mlp-mlp'))
