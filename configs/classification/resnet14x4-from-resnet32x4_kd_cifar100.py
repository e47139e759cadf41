# ResNet-14x4, distilled from ResNet-32x4 by KD.
_base_ = [
    './resnet14x4_cifar100.py',
    '../_base_/distillers/kd_cifar100.py',
    '../_base_/teachers/resnet32x4.py',
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
