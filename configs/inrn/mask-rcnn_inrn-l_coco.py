_base_ = './mask-rcnn_inrn-m_coco.py'

model = dict(backbone=dict(arch='l'), neck=dict(in_channels=[128, 256, 512, 1024]))
