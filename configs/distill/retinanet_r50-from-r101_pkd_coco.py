# RetinaNet ResNet-50, distilled from ResNet101-FPN by PKD.
_base_ = [
    './retinanet_r50_coco.py',
    '../_base_/distillers/pkd_coco.py',
    '../_base_/teachers/retinanet_r101.py',
]

# the paper's weight of one-stage detectors
_base_.distill.distill_losses[0].weight = 10.0

model = dict(
    _delete_=True,
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    **_base_.distill,
)
