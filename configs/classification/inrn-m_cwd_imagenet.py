# INRN-M, distilled from ResNet-101 by CWD.
_base_ = [
    './inrn-m_imagenet.py',
    '../_base_/distillers/cwd_imagenet.py',
    '../_base_/teachers/resnet101_imagenet.py',
]

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=_base_.distill_losses,
)
