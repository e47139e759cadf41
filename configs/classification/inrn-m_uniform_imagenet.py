# INRN-M. Table 3, before: as many blocks in each stage.
_base_ = './inrn-m_imagenet.py'

model = dict(backbone=dict(arch='m-uniform'))
