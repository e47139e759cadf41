"""DIST: correlation of class scores."""

from .networks import Network
from .pairing import pair_logits
from .registry import METHODS


@METHODS.register_module(name='dist')
def choose_dist(student: Network, teacher: Network) -> dict:
    """Compare class logits, with the weights of `the paper
    <https://arxiv.org/abs/2205.10536>`_.

    The warm-up on small images and of detectors is ours: while the head is
    untrained its logits are all but equal, and the gradient of a correlation
    is huge.
    """
    loss = dict(type='DISTLoss', **pair_logits(student, teacher), beta=2.0, gamma=2.0)
    if student.task != 'classification':
        loss.update(temperature=1.0, schedule=dict(warmup=500))
    elif student.is_small:
        loss.update(temperature=4.0, schedule=dict(warmup=100))
    else:
        loss.update(temperature=1.0)
    return dict(distill_losses=[loss])
