# ResNet-32x4, trained by its config first.
teacher = 'inrn_mm::classification/resnet32x4_cifar100.py'
teacher_checkpoint = 'work_dirs/resnet32x4_cifar100/epoch_240.pth'
