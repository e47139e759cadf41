# INRN-S. Table 3, before: as many blocks in each stage.
_base_ = './inrn-s_cifar100.py'

model = dict(
    backbone=dict(
        arch=dict(
            _delete_=True, widths=[32, 64, 128], depths=[4, 4, 4], compression=0.5, stem='conv3'
        )
    )
)
