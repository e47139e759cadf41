# Table 1: only MLP, 3.54 million parameters.
_base_ = './inrn_video.py'

model = dict(net=dict(arch='mlp'))
