# INRN-S. Table 1: the convolution after the MLP layers.
_base_ = './inrn-s_cifar100.py'

model = dict(backbone=dict(order='mlp-mlp-conv'))
