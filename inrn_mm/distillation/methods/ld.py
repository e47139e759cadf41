"""LD: localisation distillation."""

from .networks import Network
from .pairing import Unpaired, pair_logits
from .registry import METHODS


@METHODS.register_module(name='ld')
def choose_ld(student: Network, teacher: Network) -> dict:
    """Compare the box edges of detectors whose heads are of GFL's kind, with
    temperature and weight of `the paper <https://arxiv.org/abs/2102.12252>`_."""
    own, pairs = pair_logits(student, teacher)
    for network in (student, teacher):
        if network.logits is None or not network.logits.boxes or own.kind != 'dense':
            raise Unpaired(
                f'the {network.role} {network.name} predicts no distributions of box edges, as '
                "GFL's heads do"
            )
    if len(pairs) < len(own.layers):
        raise Unpaired(f'{teacher.name} lacks some of the levels of {student.name}')
    levels = [tuple(layer.replace('[0]', '[1]', 1) for layer in pair) for pair in pairs]
    loss = dict(
        type='LocalizationLoss',
        pairs=levels,
        num_classes=own.num_classes,
        temperature=10.0,
        weight=0.25,
    )
    return dict(distill_losses=[loss])
