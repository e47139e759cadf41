# INRN-M, distilled from ResNet-101 by KD.
_base_ = [
    './inrn-m_imagenet.py',
    '../_base_/distillers/kd_imagenet.py',
    '../_base_/teachers/resnet101_imagenet.py',
]

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=dict(
        _base_.model,
        head=dict(_base_.model.head, loss=dict(type='CrossEntropyLoss', loss_weight=0.5)),
    ),
    teacher=_base_.teacher,
    teacher_checkpoint=_base_.teacher_checkpoint,
    distill_losses=_base_.distill_losses,
)
