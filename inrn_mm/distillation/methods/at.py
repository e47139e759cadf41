"""AT: attention transfer."""

from .networks import Network
from .pairing import pair_stages
from .registry import METHODS


@METHODS.register_module(name='at')
def choose_at(student: Network, teacher: Network) -> dict:
    """Compare attention maps at the ends of all stages.

    The weight is that of `the paper <https://arxiv.org/abs/1612.03928>`_, in
    the form of CRD's comparison.
    """
    pairs = pair_stages(student, teacher)
    return dict(distill_losses=[dict(type='AttentionTransferLoss', pairs=pairs, weight=1000.0)])
