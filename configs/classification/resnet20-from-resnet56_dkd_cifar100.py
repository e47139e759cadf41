# ResNet-20, distilled from ResNet-56 by DKD.
_base_ = [
    './resnet20_cifar100.py',
    '../_base_/distillers/dkd_cifar100.py',
    '../_base_/teachers/resnet56.py',
]

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=[dict(_base_.distill_losses[0], beta=2.0)],
)
