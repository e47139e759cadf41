# OFD before the last activation of each stage. The paper has no two-stage
# detector; the weight is the one of its segmentation. The student is an
# INRN-M, the teacher a ResNet-101.
_base_ = './preactivations_inrn_r101.py'

distill = dict(
    type='KnowledgeDistiller',
    distill_losses=[
        dict(
            type='OverhaulLoss',
            pairs=_base_.preactivations,
            margin_layers=_base_.margin_layers,
            connector=dict(type='NormedConv', norm_cfg=dict(type='SyncBN')),
            weight=1e-5,
        )
    ],
)
