"""OFD: features before their activation."""

from .networks import Network
from .pairing import pair_stages
from .preactivations import name_input, name_margin
from .registry import METHODS


@METHODS.register_module(name='ofd')
def choose_ofd(student: Network, teacher: Network) -> dict:
    """Compare what the last activation of each stage gets.

    Weights are those of `the paper <https://arxiv.org/abs/1904.01866>`_ on
    CIFAR-100 and ImageNet; it has no detector, which get its weight of
    segmentation.
    """
    stages = pair_stages(student, teacher)
    pairs = [(name_input(student, own), name_input(teacher, other)) for own, other in stages]
    margins = [name_margin(teacher, other) for _, other in stages]
    loss: dict = dict(type='OverhaulLoss', pairs=pairs, margin_layers=margins)
    if student.task == 'classification':
        loss['weight'] = 1e-3 if student.is_small else 1e-4
    else:
        loss.update(weight=1e-5, connector=dict(type='NormedConv', norm_cfg=dict(type='SyncBN')))
    return dict(distill_losses=[loss])
