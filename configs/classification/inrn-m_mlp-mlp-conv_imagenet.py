# INRN-M. Table 1: the convolution after the MLP layers.
_base_ = './inrn-m_imagenet.py'

model = dict(backbone=dict(order='mlp-mlp-conv'))
