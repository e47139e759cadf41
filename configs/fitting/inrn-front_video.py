# Table 1: convolution before the MLP, 4.36 million parameters.
_base_ = './inrn_video.py'

model = dict(net=dict(arch='front'))
