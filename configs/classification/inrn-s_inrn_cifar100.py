# INRN-S, distilled from ResNet-32x4 by the paper (Eq. 4).
_base_ = './inrn-s_cifar100.py'

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher='inrn_mm::classification/resnet32x4_cifar100.py',
    teacher_checkpoint='work_dirs/resnet32x4_cifar100/epoch_240.pth',
    method='inrn',
)
