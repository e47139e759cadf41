# Faster R-CNN with INRN-M, from scratch, distilled from ResNet101-FPN by
# PKD.
_base_ = [
    '../inrn/faster-rcnn_inrn-m_coco.py',
    '../_base_/distillers/pkd_coco.py',
    '../_base_/teachers/faster-rcnn_r101.py',
]

model = dict(
    _delete_=True,
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    **_base_.distill,
)
