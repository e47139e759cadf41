"""DKD: the target's score and the others' apart."""

from .networks import Network
from .pairing import pair_rows
from .registry import METHODS


@METHODS.register_module(name='dkd')
def choose_dkd(student: Network, teacher: Network) -> dict:
    """Compare class logits, with the settings of `the paper
    <https://arxiv.org/abs/2203.08679>`_ for Faster R-CNN, for ResNet-32x4 and 8x4
    on CIFAR-100, and for ResNet-34 and 18 on ImageNet."""
    settings: dict = dict(alpha=1.0, beta=0.25, temperature=1.0)
    if student.task == 'classification' and student.is_small:
        schedule = dict(warmup=20, by_epoch=True)
        settings.update(beta=8.0, temperature=4.0, schedule=schedule)
    elif student.task == 'classification':
        settings.update(beta=0.5, schedule=dict(warmup=1, by_epoch=True))
    rows = pair_rows(student, teacher, labels=True)
    return dict(distill_losses=[dict(type='DecoupledKDLoss', **row, **settings) for row in rows])
