# ResNet-20, distilled from ResNet-56 by DIST.
_base_ = [
    './resnet20_cifar100.py',
    '../_base_/distillers/dist_cifar100.py',
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
