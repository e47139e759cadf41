# INRN-M. Table 2: flat blocks (compression 1).
_base_ = './inrn-m_imagenet.py'

model = dict(backbone=dict(compression=1))
