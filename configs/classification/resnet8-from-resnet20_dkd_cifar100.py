# ResNet-8, distilled from ResNet-20 by DKD.
_base_ = [
    './resnet8_cifar100.py',
    '../_base_/distillers/dkd_cifar100.py',
    '../_base_/teachers/resnet20.py',
]

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=[dict(_base_.distill_losses[0], beta=2.0)],
)
