"""PKD: correlation of features."""

from .networks import Network
from .pairing import pair_levels, pair_stages
from .registry import METHODS


@METHODS.register_module(name='pkd')
def choose_pkd(student: Network, teacher: Network) -> dict:
    """Compare the first four levels of the necks; of classifiers the last stages.

    Weights are those of `the paper <https://arxiv.org/abs/2207.02039>`_: 6 for
    two-stage detectors and 10 for others. It has no classifiers, which get 6.
    """
    if student.task == 'classification':
        pairs = pair_stages(student, teacher)[-1:]
    else:
        pairs = pair_levels(student, teacher, most=4)
    weight = 10.0 if student.task in ('dense', 'segmentation') else 6.0
    return dict(distill_losses=[dict(type='PearsonLoss', pairs=pairs, weight=weight)])
