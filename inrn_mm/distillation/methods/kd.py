"""KD: softened class scores."""

from .networks import Network
from .pairing import pair_logits
from .registry import METHODS


@METHODS.register_module(name='kd')
def choose_kd(student: Network, teacher: Network) -> dict:
    """Compare class logits.

    On small images, temperature and weights are those of `CRD's comparison
    <https://arxiv.org/abs/1910.10699>`_, on others and of detectors those of
    `DKD's <https://arxiv.org/abs/2203.08679>`_; `the paper
    <https://arxiv.org/abs/1503.02531>`_ has neither.
    """
    loss = dict(type='LogitKDLoss', **pair_logits(student, teacher))
    if student.task != 'classification':
        return dict(distill_losses=[dict(loss, temperature=1.0, weight=1.0)])
    if student.is_small:
        return dict(distill_losses=[dict(loss, temperature=4.0, weight=0.9)], task_weight=0.1)
    return dict(distill_losses=[dict(loss, temperature=1.0, weight=0.5)], task_weight=0.5)
