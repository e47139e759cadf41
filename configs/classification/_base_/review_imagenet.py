# ReviewKD with the weight of its paper, for INRN-M and INRN-L: before the last
# activation of each stage and after pooling.
_base_ = '../../_base_/preactivations_inrn_r101.py'

distill_losses = [
    dict(
        type='ReviewLoss',
        pairs=[*_base_.preactivations, ('head.fc:input', 'head.fc:input')],
        mid_channels=512,
        weight=1.0)
]
