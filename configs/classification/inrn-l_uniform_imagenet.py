# INRN-L. Table 3, before: as many blocks in each stage.
_base_ = './inrn-l_imagenet.py'

model = dict(backbone=dict(arch='l-uniform'))
