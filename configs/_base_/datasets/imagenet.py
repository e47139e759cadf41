# ImageNet-1k. The folder is data/imagenet/ or the environment's
# INRN_IMAGENET_ROOT.
_base_ = 'mmpretrain::_base_/datasets/imagenet_bs32.py'

data_root = '{{$INRN_IMAGENET_ROOT:data/imagenet}}'
train_dataloader = dict(persistent_workers=True, dataset=dict(data_root=data_root))
val_dataloader = dict(persistent_workers=True, dataset=dict(data_root=data_root))
test_dataloader = val_dataloader
