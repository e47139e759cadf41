"""CWD: channels as distributions over places."""

from .networks import Network
from .pairing import pair_levels, pair_logits, pair_stages
from .registry import METHODS


@METHODS.register_module(name='cwd')
def choose_cwd(student: Network, teacher: Network) -> dict:
    """Compare all levels of the necks; of classifiers the last stages, of
    segmentors the class logits.

    Temperature and weight of segmentors are those of `the paper
    <https://arxiv.org/abs/2011.13256>`_, of others those of detectors in
    MMRazor; the paper has none for classifiers.
    """
    if student.task == 'segmentation':
        _, pairs = pair_logits(student, teacher)
        loss = dict(type='ChannelWiseLoss', pairs=pairs, temperature=4.0, weight=3.0)
        return dict(distill_losses=[loss])
    if student.task == 'classification':
        pairs = pair_stages(student, teacher)[-1:]
    else:
        pairs = pair_levels(student, teacher)
    loss = dict(type='ChannelWiseLoss', pairs=pairs, temperature=1.0, weight=10.0)
    return dict(distill_losses=[loss])
