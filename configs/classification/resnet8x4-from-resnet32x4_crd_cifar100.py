# ResNet-8x4, distilled from ResNet-32x4 by CRD.
_base_ = './resnet8x4_cifar100.py'

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher='inrn_mm::classification/resnet32x4_cifar100.py',
    teacher_checkpoint='work_dirs/resnet32x4_cifar100/epoch_240.pth',
    method=dict(type='crd', num_samples=50000),
)
