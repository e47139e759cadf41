"""What shapes a loss takes, said when it is built."""

from collections.abc import Sequence

from torch import nn

_KINDS = {
    'maps': (4, '(N, C, H, W)', 'name a layer before the pooling'),
    'vectors': (2, '(N, C)', "name a pooled layer, for example 'neck' or "
                "'head.fc:input'"),
}  # yapf: disable


def require(kind: str, loss: nn.Module, student_shapes: Sequence, teacher_shapes: Sequence) -> None:
    """Check that all features of a loss are maps, or all vectors.

    Args:
        kind (str): ``'maps'`` ``(N, C, H, W)`` or ``'vectors'`` ``(N, C)``.
        loss (nn.Module): The loss, named in the error.
        student_shapes (Sequence): Shapes of the student's features.
        teacher_shapes (Sequence): Shapes of the teacher's.

    Raises:
        ValueError: If one is not.
    """
    dims, form, advice = _KINDS[kind]
    for pair, *shapes in zip(loss.pairs, student_shapes, teacher_shapes):
        for side, layer, shape in zip(('student', 'teacher'), pair, shapes):
            if len(shape) != dims:
                raise ValueError(
                    f'{type(loss).__name__} compares {kind} {form}, but the '
                    f"{side}'s layer {layer!r} gives the shape "
                    f'{tuple(shape)}; {advice}.'
                )


def require_same_classes(
    loss: nn.Module, student_shapes: Sequence, teacher_shapes: Sequence
) -> None:
    """Check that logits are of as many classes on both sides.

    Args:
        loss (nn.Module): The loss, named in the error.
        student_shapes (Sequence): Shapes of the student's logits.
        teacher_shapes (Sequence): Shapes of the teacher's.

    Raises:
        ValueError: If they are not.
    """
    for pair, s, t in zip(loss.pairs, student_shapes, teacher_shapes):
        if len(s) != len(t) or s[1] != t[1]:
            raise ValueError(
                f'{type(loss).__name__} compares logits of the same classes, '
                f"but the student's {pair[0]!r} has the shape {tuple(s)} and "
                f"the teacher's {pair[1]!r} {tuple(t)}; use a teacher trained "
                'on the same classes, or distil features instead.'
            )


def require_shared_classes(
    loss: nn.Module, student_shapes: Sequence, teacher_shapes: Sequence
) -> None:
    """Check that logits ``(N, C)`` are of the same classes, or as the loss's map says.

    Args:
        loss (nn.Module): The loss, with a :class:`ClassMap` as ``classes``.
        student_shapes (Sequence): Shapes of the student's logits.
        teacher_shapes (Sequence): Shapes of the teacher's.

    Raises:
        ValueError: If they are not.
    """
    if not loss.classes.given:
        return require_same_classes(loss, student_shapes, teacher_shapes)
    for (layer, _), own, other in zip(loss.pairs, student_shapes, teacher_shapes):
        loss.classes.check(layer, own[1], other[1])
