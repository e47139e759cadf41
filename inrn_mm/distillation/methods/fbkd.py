"""FBKD: attention-guided and non-local distillation of detectors."""

from .networks import Network
from .pairing import Unpaired, pair_levels
from .registry import METHODS

# by the stride of a level: pooling and narrowing of the non-local block
_POOLS: dict[float, int] = {4: 8, 8: 4}
_REDUCTIONS: dict[float, int] = {4: 4, 8: 4}


@METHODS.register_module(name='fbkd')
def choose_fbkd(student: Network, teacher: Network) -> dict:
    """Compare the first four levels of the necks.

    Weights are those of `the paper <https://openreview.net/pdf?id=uKhGRvM8QNH>`_
    for two-stage detectors and for others; temperature and non-local blocks
    those of its code for Faster R-CNN.

    Raises:
        Unpaired: If one network is no detector or has no maps to compare.
    """
    if student.task not in ('two-stage', 'dense'):
        raise Unpaired(f'{student.name} is no detector, which the weights are for')
    factors = dict(alpha=7e-5, beta=4e-3, gamma=7e-5)
    if student.task == 'dense':
        factors = dict(alpha=4e-4, beta=2e-2, gamma=4e-4)
    pairs = pair_levels(student, teacher, most=4)
    strides = {place.layer: place.stride for place in student.stages + student.levels}
    loss = dict(
        type='AttentionGuidedLoss',
        pairs=pairs,
        **factors,
        pools=[_POOLS.get(strides[layer], 2) for layer, _ in pairs],
        reductions=[_REDUCTIONS.get(strides[layer], 2) for layer, _ in pairs],
    )
    return dict(distill_losses=[loss])
