"""FGD: focal and global distillation of detectors."""

from .networks import Network
from .pairing import Unpaired, pair_levels
from .registry import METHODS


@METHODS.register_module(name='fgd')
def choose_fgd(student: Network, teacher: Network) -> dict:
    """Compare the levels of the necks, in and outside of the boxes.

    The factors are those of the code of `the paper
    <https://arxiv.org/abs/2111.11837>`_ for two-stage detectors, where it leaves
    out their extra level, and for one-stage detectors with and without
    several anchors at a place.
    """
    if student.task == 'two-stage':
        factors = dict(alpha=5e-5, beta=2.5e-5, gamma=5e-5, lambda_=5e-7)
    elif student.task != 'dense':
        raise Unpaired(f'{student.name} is no detector, whose boxes tell where to look')
    elif _has_anchors(student):
        factors = dict(alpha=1e-3, beta=5e-4, gamma=5e-4, lambda_=5e-6)
    else:
        factors = dict(alpha=1.6e-3, beta=8e-4, gamma=8e-4, lambda_=8e-6)
    pairs = pair_levels(student, teacher, most=4 if student.task == 'two-stage' else None)
    loss = dict(type='FocalGlobalLoss', pairs=pairs, temperature=0.5, **factors)
    return dict(distill_losses=[loss])


def _has_anchors(network: Network) -> bool:
    return getattr(network.net.bbox_head, 'num_base_priors', 1) > 1
