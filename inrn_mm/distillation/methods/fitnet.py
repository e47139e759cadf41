"""FitNet: a hint in the middle of the network."""

from .networks import Network
from .pairing import pair_stages
from .registry import METHODS


@METHODS.register_module(name='fitnet')
def choose_fitnet(student: Network, teacher: Network) -> dict:
    """Compare the ends of the second stages.

    The weight of 100 is that of `CRD's comparison
    <https://arxiv.org/abs/1910.10699>`_ on CIFAR-100. `The paper
    <https://arxiv.org/abs/1412.6550>`_ has no larger images and no detector:
    there it is Eq. 3's weight of 1.
    """
    hint = dict(type='FitNetLoss', pairs=pair_stages(student, teacher)[:2][-1:], weight=1.0)
    if student.task == 'classification':
        hint['weight'] = 100.0 if student.is_small else 1.0
    else:  # with small batches
        hint['connector'] = dict(type='HintRegressor', norm_cfg=dict(type='SyncBN'))
    return dict(distill_losses=[hint])
