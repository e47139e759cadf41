# INRN-M initialised by the checkpoint of our ImageNet classification config
# (path or URL in the environment's INRN_M_IN1K).
_base_ = './faster-rcnn_inrn-m_kd_1x_coco.py'

imagenet = '{{$INRN_M_IN1K:work_dirs/inrn-m_imagenet/epoch_100.pth}}'
init_cfg = dict(type='Pretrained', checkpoint=imagenet, prefix='backbone.')
model = dict(student=dict(backbone=dict(init_cfg=init_cfg)))
