# GFL ResNet-50, distilled from ResNet101-FPN by CWD.
_base_ = ['./gfl_r50_coco.py', '../_base_/distillers/cwd_coco.py', '../_base_/teachers/gfl_r101.py']

model = dict(
    _delete_=True,
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    **_base_.distill,
)
