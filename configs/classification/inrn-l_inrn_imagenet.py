# INRN-L, distilled from ResNet-101 by the paper (Eq. 4).
_base_ = './inrn-l_imagenet.py'

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher='mmpretrain::resnet/resnet101_8xb32_in1k.py',  # 77.97 top-1
    method='inrn',
)
