# INRN-S, distilled from ResNet-32x4 by DKD.
_base_ = [
    './inrn-s_cifar100.py',
    '../_base_/distillers/dkd_cifar100.py',
    '../_base_/teachers/resnet32x4.py',
]

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=_base_.distill_losses,
)
