"""Pairing layers of two networks that see the same places of the image."""

import math
from collections.abc import Sequence

from ..heads import Logits
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


def pair_logits(student: Network, teacher: Network) -> tuple[Logits, list[tuple[str, str]]]:
    """Pair the layers of class logits that score the same.

    Args:
        student (Network): The student.
        teacher (Network): The teacher.

    Returns:
        tuple[Logits, list[tuple[str, str]]]: What the student scores, and the layers of
        both, one pair for each level or stage.

    Raises:
        Unpaired: If one network has none, they are of different kinds, or
            those of one-stage detectors score other boxes.
    """
    own, other = _logits(student), _logits(teacher)
    if own.kind != other.kind:
        raise Unpaired(
            f'{student.name} and {teacher.name} score different things, {_SCORED[own.kind]} and '
            f'{_SCORED[other.kind]}'
        )
    if teacher.class_map is None and own.num_classes != other.num_classes:
        raise Unpaired(
            f'their classes differ, {own.num_classes} and {other.num_classes}, and nothing says '
            'which are the same'
        )
    if teacher.class_map is not None and max(teacher.class_map, default=-1) < 0:
        raise Unpaired('they share no class')
    if own.anchors != other.anchors:
        raise Unpaired(
            f'{student.name} scores {own.anchors} boxes at a place and {teacher.name} '
            f'{other.anchors}'
        )
    if own.sigmoid != other.sigmoid:
        raise Unpaired(
            f'one of {student.name} and {teacher.name} scores by a sigmoid, the other not'
        )
    if own.kind != 'dense':
        return own, list(zip(own.layers, other.layers))
    theirs = dict(zip(other.strides, other.layers))
    pairs = [(a, theirs[x]) for x, a in zip(own.strides, own.layers) if x in theirs]
    if not pairs:
        raise Unpaired(
            f'the levels of {student.name} have the strides {own.strides}, those of '
            f'{teacher.name} {other.strides}'
        )
    return own, pairs


# what the kinds of heads score
_SCORED = {
    'classification': 'images',
    'two-stage': 'regions',
    'dense': 'places',
    'queries': 'queries',
    'segmentation': 'pixels',
}


def _logits(network: Network) -> Logits:
    if network.logits is None:
        raise Unpaired(f'the class logits of the {network.role} {network.name} are not known')
    return network.logits


def pair_rows(student: Network, teacher: Network, labels: bool = False) -> list[dict]:
    """Pair logits of which each row is an image or a region.

    Args:
        student (Network): The student.
        teacher (Network): The teacher.
        labels (bool): Whether the loss needs the class of each row.
            Defaults to False.

    Returns:
        list[dict]: Arguments of losses: one, or one for each stage of a
        cascade if these have labels of their own.

    Raises:
        Unpaired: See :func:`pair_logits`; also if the rows are others.
    """
    own, pairs = pair_logits(student, teacher)
    if own.kind not in ('classification', 'two-stage'):
        raise Unpaired(f'{student.name} scores {_SCORED[own.kind]}, not images or regions')
    if own.kind == 'classification':
        return [dict(pairs=pairs)]
    if not labels:
        return [dict(pairs=pairs, same_proposals=True)]
    return [
        dict(pairs=[pair], same_proposals=True, label_layer=layer)
        for pair, layer in zip(pairs, own.labels)
    ]


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
