# INRN-L, distilled from ResNet-101 by OFD.
_base_ = [
    './inrn-l_imagenet.py',
    '../_base_/distillers/ofd_imagenet.py',
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
