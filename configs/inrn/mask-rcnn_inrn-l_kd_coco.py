# Mask R-CNN with INRN-L, from scratch, distilled from ResNet101-FPN.
_base_ = [
    './mask-rcnn_inrn-l_coco.py',
    '../_base_/distillers/inrn_coco.py',
    '../_base_/teachers/mask-rcnn_r101.py',
]

model = dict(
    _delete_=True,
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    **_base_.distill,
)
