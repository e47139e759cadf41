"""KD: softened class scores."""

from .networks import Network
from .pairing import pair_logits
from .registry import METHODS


@METHODS.register_module(name='kd')
def choose_kd(student: Network, teacher: Network) -> dict:
    """Compare class logits, of whatever the heads score.

    On small images, temperature and weights are those of `CRD's comparison
    <https://arxiv.org/abs/1910.10699>`_, on others and of two-stage detectors
    those of `DKD's <https://arxiv.org/abs/2203.08679>`_; `the paper
    <https://arxiv.org/abs/1503.02531>`_ has neither. Sigmoid scores of places,
    and queries, are weighted as the heads' own losses (GFL's, DETR's).
    """
    own, pairs = pair_logits(student, teacher)
    loss = dict(type='LogitKDLoss', pairs=pairs, temperature=1.0, weight=1.0)
    if own.kind == 'queries':
        assert student.logits is not None and teacher.logits is not None
        boxes = list(zip(student.logits.boxes, teacher.logits.boxes))
        loss = dict(type='QueryKDLoss', pairs=pairs + boxes, use_sigmoid=own.sigmoid)
    elif own.kind == 'two-stage':
        loss['same_proposals'] = True
        if own.sigmoid:
            loss['use_sigmoid'] = True
    elif own.kind == 'dense':
        loss['num_classes'] = own.num_classes if own.sigmoid else own.num_classes + 1
        if own.sigmoid:
            loss.update(use_sigmoid=True, average='confidence', focus=2.0)
    elif own.kind == 'classification' and student.is_small:
        loss.update(temperature=4.0, weight=0.9)
        return dict(distill_losses=[loss], task_weight=0.1)
    elif own.kind == 'classification':
        loss.update(weight=0.5)
        return dict(distill_losses=[loss], task_weight=0.5)
    return dict(distill_losses=[loss])
