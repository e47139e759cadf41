"""DIST: correlation of class scores."""

from .networks import Network
from .pairing import pair_rows
from .registry import METHODS


@METHODS.register_module(name='dist')
def choose_dist(student: Network, teacher: Network) -> dict:
    """Compare class logits, with the weights of `the paper
    <https://arxiv.org/abs/2205.10536>`_.

    The warm-up on small images and of detectors is ours: while the head is
    untrained its logits are all but equal, and the gradient of a correlation
    is huge.
    """
    settings: dict = dict(beta=2.0, gamma=2.0, temperature=1.0)
    if student.task != 'classification':
        settings.update(schedule=dict(warmup=500))
    elif student.is_small:
        settings.update(temperature=4.0, schedule=dict(warmup=100))
    rows = pair_rows(student, teacher)
    return dict(distill_losses=[dict(type='DISTLoss', **row, **settings) for row in rows])
