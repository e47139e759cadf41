# OFD with the weight of its paper, for INRN-M and INRN-L.
_base_ = './preactivations_inrn_r101.py'

distill_losses = [
    dict(
        type='OverhaulLoss',
        pairs=_base_.preactivations,
        margin_layers=_base_.margin_layers,
        weight=1e-4,
    )
]
