# ResNet-56, trained by its config first.
teacher = 'inrn_mm::classification/resnet56_cifar100.py'
teacher_checkpoint = 'work_dirs/resnet56_cifar100/epoch_240.pth'
