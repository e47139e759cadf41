# ResNet-20, distilled from ResNet-56 by KD.
_base_ = './resnet20_cifar100.py'

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher='inrn_mm::classification/resnet56_cifar100.py',
    teacher_checkpoint='work_dirs/resnet56_cifar100/epoch_240.pth',
    method='kd',
)
