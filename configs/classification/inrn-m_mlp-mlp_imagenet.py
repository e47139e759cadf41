# INRN-M. Table 1: only MLP layers.
_base_ = './inrn-m_imagenet.py'

model = dict(backbone=dict(order='mlp-mlp'))
