"""Eq. 3: the paper's own method."""

from .networks import Network
from .pairing import pair_stages
from .registry import METHODS


@METHODS.register_module(name='inrn')
def choose_inrn(student: Network, teacher: Network) -> dict:
    """Compare all stages by their squared error, weighted as the task (paper,
    Eq. 3 and 4)."""
    pairs = pair_stages(student, teacher)
    return dict(distill_losses=[dict(type='StageMSELoss', pairs=pairs, weight=1.0)])
