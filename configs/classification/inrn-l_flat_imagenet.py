# INRN-L. Table 2: flat blocks (compression 1).
_base_ = './inrn-l_imagenet.py'

model = dict(backbone=dict(compression=1))
