# ResNet-20, distilled from ResNet-56 by the paper (Eq. 4).
_base_ = [
    './resnet20_cifar100.py',
    '../_base_/distillers/inrn_cifar100.py',
    '../_base_/teachers/resnet56.py',
]

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=_base_.distill_losses,
)
