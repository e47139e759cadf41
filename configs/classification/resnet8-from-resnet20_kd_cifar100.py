# ResNet-8, distilled from ResNet-20 by KD.
_base_ = [
    './resnet8_cifar100.py',
    '../_base_/distillers/kd_cifar100.py',
    '../_base_/teachers/resnet20.py',
]

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=dict(
        _base_.model,
        head=dict(_base_.model.head, loss=dict(type='CrossEntropyLoss', loss_weight=0.1)),
    ),
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=_base_.distill_losses,
)
