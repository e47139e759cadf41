# INRN-S (Table 2): 2.87 million parameters at 720 x 1280 with r = 0.5, 2.51
# with model.net.compression=1.
_base_ = './inrn_video.py'

model = dict(net=dict(arch='s', compression=0.5))
