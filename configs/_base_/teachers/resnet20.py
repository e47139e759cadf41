# ResNet-20, trained by its config first.
teacher = 'inrn_mm::classification/resnet20_cifar100.py'
teacher_checkpoint = 'work_dirs/resnet20_cifar100/epoch_240.pth'
