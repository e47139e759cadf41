# Faster R-CNN ResNet-50, distilled from ResNet101-FPN by attention transfer.
_base_ = [
    '../inrn/faster-rcnn_r50_coco.py',
    '../_base_/distillers/at_coco.py',
    '../_base_/teachers/faster-rcnn_r101.py',
]

model = dict(
    _delete_=True,
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    **_base_.distill,
)
