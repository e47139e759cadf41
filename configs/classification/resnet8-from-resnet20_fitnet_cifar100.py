# ResNet-8, distilled from ResNet-20 by FitNet.
_base_ = [
    './resnet8_cifar100.py',
    '../_base_/distillers/fitnet_cifar100.py',
    '../_base_/teachers/resnet20.py',
]

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=_base_.distill_losses,
)
