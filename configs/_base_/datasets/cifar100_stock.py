# CIFAR-100 through mmpretrain's own dataset and transforms, one image at a
# time; mmpretrain downloads it. The folder is data/cifar100/ or the
# environment's INRN_CIFAR100_ROOT.
_base_ = 'mmpretrain::_base_/datasets/cifar100_bs16.py'

data_root = '{{$INRN_CIFAR100_ROOT:data/cifar100}}'
train_dataloader = dict(batch_size=64, persistent_workers=True, dataset=dict(data_root=data_root))
val_dataloader = dict(batch_size=500, persistent_workers=True, dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
val_evaluator = dict(topk=(1, 5))
test_evaluator = val_evaluator
