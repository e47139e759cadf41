# RetinaNet ResNet-50, distilled from ResNet101-FPN by Eq. 3.
_base_ = [
    './retinanet_r50_coco.py',
    '../_base_/distillers/inrn_coco.py',
    '../_base_/teachers/retinanet_r101.py',
]

model = dict(
    _delete_=True,
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    **_base_.distill,
)
