# Faster R-CNN with INRN-M, from scratch, distilled from ResNet101-FPN.
_base_ = './faster-rcnn_inrn-m_coco.py'

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher='inrn_mm::inrn/faster-rcnn_r101_coco.py',  # 42.0 box AP
    method='inrn',
)
