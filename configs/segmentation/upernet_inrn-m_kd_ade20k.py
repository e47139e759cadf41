# UPerNet with INRN-M, from scratch, distilled from UPerNet ResNet-101.
_base_ = './upernet_inrn-m_ade20k.py'

model = dict(
    _delete_=True,
    type='KnowledgeDistiller',
    student=_base_.model,
    teacher='mmseg::upernet/upernet_r101_4xb4-160k_ade20k-512x512.py',  # 43.82 mIoU
    method='cwd',
)
