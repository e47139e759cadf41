"""Distillation on images without labels, beside a task that has some."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from .bound import BoundLoss
from .probe import run

if TYPE_CHECKING:
    from .distiller import KnowledgeDistiller


def add_unlabeled(
    model: 'KnowledgeDistiller',
    batch: dict,
    terms: dict[BoundLoss, list[Tensor]],
    active: Sequence[BoundLoss],
    count: int,
) -> None:
    """Average the terms of a batch with labels with those of one without.

    Each image counts alike. Losses that read annotations or score the
    student's proposals stay those of the labelled images.

    Args:
        model (KnowledgeDistiller): The distiller.
        batch (dict): A batch without labels, as its dataloader gives it.
        terms (dict[BoundLoss, list[Tensor]]): The terms of the batch with
            labels, changed in place.
        active (Sequence[BoundLoss]): The losses that are not idle.
        count (int): Number of images of the batch with labels.
    """
    chosen = [bound for bound in active if bound.takes_unlabeled]
    if not chosen:
        return
    data = model.data_preprocessor(batch, True)
    inputs, samples = data['inputs'], data.get('data_samples')
    features = model._teacher_features(chosen, inputs, samples)
    with model._recorder(chosen) as recorder:
        run(model.student, inputs, samples)
    student = recorder.features
    student.size = tuple(inputs.shape[-2:])
    features['self'] = student.detach()
    share = len(inputs) / (len(inputs) + count)
    for bound in chosen:
        others = bound.terms(student, features[bound.teacher], samples)
        terms[bound] = [(1 - share) * a + share * b for a, b in zip(terms[bound], others)]
