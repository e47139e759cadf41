"""Pairing layers of two networks that see the same places of the image."""

import math
from collections.abc import Sequence

from ..taps import Layer
from .networks import Network, Place

Pairs = list[tuple[Layer, Layer]]

# strides count as one up to this factor, as 14 of a transformer and 16
NEAR = math.sqrt(2)


class Unpaired(ValueError):
    """Two networks without the layers that a method compares."""


def pair_stages(student: Network, teacher: Network) -> Pairs:
    """Pair stages of the backbones by stride.

    Args:
        student (Network): The student.
        teacher (Network): The teacher.

    Returns:
        list[tuple]: Layers of both, from shallow to deep.

    Raises:
        Unpaired: If one network has no stages.
    """
    for network in (student, teacher):
        if not network.stages:
            raise Unpaired(
                f'the {network.role} {network.name} has no backbone whose stages give maps'
            )
    return _layers(pair_places(student.stages, teacher.stages))


def pair_levels(student: Network, teacher: Network, most: int | None = None) -> Pairs:
    """Pair levels of the necks by stride; stages where a network has no neck.

    Args:
        student (Network): The student.
        teacher (Network): The teacher.
        most (int, optional): How many pairs there may be, of the shallowest.
            Defaults to None, all.

    Returns:
        list[tuple]: Layers of both, from shallow to deep.

    Raises:
        Unpaired: If a network has neither.
    """
    if student.levels and teacher.levels:
        return _layers(pair_places(student.levels, teacher.levels))[:most]
    return pair_stages(student, teacher)[:most]


def pair_embeddings(student: Network, teacher: Network) -> Pairs:
    """Pair the vectors that the class logits of classifiers are made of.

    Args:
        student (Network): The student.
        teacher (Network): The teacher.

    Returns:
        list[tuple[str, str]]: The one pair.

    Raises:
        Unpaired: If one network is no classifier.
    """
    return [(_embedding(student), _embedding(teacher))]


def _embedding(network: Network) -> str:
    if network.embedding is None:
        raise Unpaired(
            f'the {network.role} {network.name} is no classifier, whose pooled features could be '
            'compared'
        )
    return network.embedding


def pair_logits(student: Network, teacher: Network, labels: bool = False) -> dict:
    """Pair the layers of class logits.

    Args:
        student (Network): The student.
        teacher (Network): The teacher.
        labels (bool): Whether the loss needs the class of each row.
            Defaults to False.

    Returns:
        dict: Arguments of a loss of logits.

    Raises:
        Unpaired: If one network has none, or they are of different kinds.
    """
    for network in (student, teacher):
        if network.logits is None:
            raise Unpaired(f'the class logits of the {network.role} {network.name} are not known')
    if student.task != teacher.task:
        raise Unpaired(
            f'{student.name} scores what {teacher.name} does not: their heads are those of '
            f'{student.task} and {teacher.task}'
        )
    found: dict = dict(pairs=[(student.logits, teacher.logits)])
    if student.task == 'two-stage':
        found['same_proposals'] = True
        if labels:
            found['label_layer'] = 'roi_head.bbox_head.loss_cls:input[1]'
    return found


def pair_places(student: Sequence[Place], teacher: Sequence[Place]) -> list[tuple[Place, Place]]:
    """Pair places of equal stride; the deepest of both if there are none.

    Several layers of one stride, as in a transformer, are spread over those of
    the other network, the last with the last.

    Args:
        student (Sequence[Place]): Places of the student.
        teacher (Sequence[Place]): Places of the teacher.

    Returns:
        list[tuple[Place, Place]]: From shallow to deep.
    """
    pairs: list[tuple[Place, Place]] = []
    for stride, own in _by_stride(student).items():
        others = _by_stride(teacher)
        nearest = min(others, key=lambda other: abs(math.log(other / stride)))
        if max(nearest / stride, stride / nearest) < NEAR:
            pairs += zip(*_spread(own, others[nearest]))
    return pairs or [(student[-1], teacher[-1])]


def _by_stride(places: Sequence[Place]) -> dict[float, list[Place]]:
    groups: dict[float, list[Place]] = {}
    for place in sorted(places, key=lambda place: place.stride):
        groups.setdefault(place.stride, []).append(place)
    return groups


def _spread(*groups: list[Place]) -> list[list[Place]]:
    """Take as many places of each group as the smallest has, evenly."""
    count = min(map(len, groups))
    return [[group[(i + 1) * len(group) // count - 1] for i in range(count)] for group in groups]


def _layers(pairs: Sequence[tuple[Place, Place]]) -> Pairs:
    return [(own.layer, other.layer) for own, other in pairs]
