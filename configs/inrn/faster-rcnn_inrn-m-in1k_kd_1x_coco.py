# INRN-M initialised by the checkpoint of our ImageNet classification config
# (path or URL in the environment's INRN_M_IN1K).
_base_ = './faster-rcnn_inrn-m_kd_1x_coco.py'

model = dict(
    student=dict(
        backbone=dict(
            init_cfg=dict(
                type='Pretrained',
                checkpoint='{{$INRN_M_IN1K:work_dirs/inrn-m_imagenet/latest.pth}}',  # noqa: E501
                prefix='backbone.'))))
