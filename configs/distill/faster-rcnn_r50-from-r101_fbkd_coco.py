# Faster R-CNN ResNet-50, distilled from ResNet101-FPN by FBKD.
_base_ = '../inrn/faster-rcnn_r50_coco.py'

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher='inrn_mm::inrn/faster-rcnn_r101_coco.py',  # 42.0 box AP
    method='fbkd',
)
