"""MGD: the student generates what was masked."""

from .networks import Network
from .pairing import pair_levels, pair_stages
from .registry import METHODS


@METHODS.register_module(name='mgd')
def choose_mgd(student: Network, teacher: Network) -> dict:
    """Generate the levels of the neck; of classifiers the last stage.

    Masks and weights are those of `the paper
    <https://arxiv.org/abs/2205.01529>`_ for two-stage detectors, which leaves
    out their extra level, for one-stage detectors, and for classifiers.
    """
    settings = dict(mask_ratio=0.65, weight=2e-5)
    if student.task == 'classification':
        pairs = pair_stages(student, teacher)[-1:]
        settings = dict(mask='channels', mask_ratio=0.15, weight=7e-5)
    elif student.task == 'two-stage':
        pairs = pair_levels(student, teacher, most=4)
        settings = dict(mask_ratio=0.45, weight=5e-7)
    else:
        pairs = pair_levels(student, teacher)
    return dict(distill_losses=[dict(type='MaskedGenerativeLoss', pairs=pairs, **settings)])
