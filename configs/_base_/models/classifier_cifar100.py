# The classifier of CIFAR-100. Its linear layer begins as PyTorch's do, as in
# the published comparisons, not with mmpretrain's standard deviation of 0.01.
_base_ = './classifier.py'

model = dict(head=dict(num_classes=100, init_cfg=None))
