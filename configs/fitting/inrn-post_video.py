# Table 1: convolutions behind the MLP, 15.34 million parameters.
_base_ = './inrn_video.py'

model = dict(net=dict(arch='post'))
