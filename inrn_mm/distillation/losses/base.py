"""What all distillation losses have in common."""

import re
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ...utils.checks import check_number
from ..auto_weight import AutoWeight
from ..schedule import WeightSchedule
from ..taps import Layer


class DistillLoss(nn.Module, metaclass=ABCMeta):
    """A loss between layers of the student and layers of the teacher.

    A subclass makes its connectors in :meth:`build`, once the shapes of the
    features are known, and returns one unweighted term for each pair from
    :meth:`forward`. :class:`KnowledgeDistiller` weights, names and sums them.

    Args:
        pairs (Sequence[tuple]): ``(student layer, teacher layer)`` each; a
            layer is named as :meth:`Tap.parse` reads it.
        weight (float | str | Sequence[float]): Weight of the loss, or one for each
            pair; or ``'auto:0.1'``, found such that the gradient of each pair's
            term at the student's layer is a tenth of the task's, see
            :class:`AutoWeight`. Defaults to 1.
        schedule (dict, optional): Arguments of :class:`WeightSchedule`.
            Defaults to None, constant.
        name (str, optional): Name in the log, ``loss_{name}.{layer}``.
            Defaults to None, from the class's name.
        teacher (str, optional): Which of several teachers; ``'self'`` takes
            the second layer of each pair from the student, without gradient.
            Defaults to None, the only teacher.
        same_proposals (bool): Let the teacher of a two-stage detector score
            the student's sampled proposals instead of its own, for pairs in
            the RoI heads. Defaults to False.
        label_layer (str, optional): Layer of the student that is fed the
            labels, instead of the samples' ``gt_label``: those of sampled
            proposals are at ``'roi_head.bbox_head.loss_cls:input[1]'``.
            Defaults to None.

    Attributes:
        auto (AutoWeight | None): What finds the weight, if that is asked for.
        takes_maps (bool): Whether the features are maps of the images, so that
            tokens are laid out as such and what is none is refused.
        needs_annotations (bool): Whether it reads the data samples' labels or
            boxes, or knows each image by its index.

    Raises:
        ValueError: If pairs are not pairs, or weights do not fit them or are
            not finite.
    """

    takes_maps = False
    needs_annotations = False

    def __init__(
        self,
        pairs: Sequence[tuple[Layer, Layer]],
        weight: float | str | Sequence[float] = 1.0,
        schedule: dict | None = None,
        name: str | None = None,
        teacher: str | None = None,
        same_proposals: bool = False,
        label_layer: str | None = None,
    ) -> None:
        super().__init__()
        for pair in pairs:
            if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2:
                raise ValueError(
                    f'pairs must hold (student layer, teacher layer) each, got {pair!r}.'
                )
        if not pairs:
            raise ValueError(f'{type(self).__name__} needs at least one pair of layers.')
        self.pairs = [tuple(pair) for pair in pairs]
        self.auto = AutoWeight.parse(weight, len(pairs)) if isinstance(weight, str) else None
        if self.auto:
            weight = self.auto.share
        weights = (
            [float(weight)] * len(pairs)
            if isinstance(weight, (int, float))
            else [float(w) for w in weight]
        )
        if len(weights) != len(pairs):
            raise ValueError(
                f'{type(self).__name__} has {len(pairs)} pairs of layers but '
                f'{len(weights)} weights; give one number or one for each.'
            )
        for value in weights:
            check_number('weight', value)
        self.weights = weights
        self.schedule = WeightSchedule(**(schedule or {}))
        self.teacher = teacher
        self.same_proposals = same_proposals
        # layers of the student whose tensors come as data samples, one for
        # each call, by the names they have there
        self.context_layers = dict(gt_label=label_layer) if label_layer else {}
        self.name = (
            name
            or re.sub(r'(?<=[a-z])(?=[A-Z])|_?Loss$', '_', type(self).__name__).strip('_').lower()
        )

    @property
    def unweighted(self) -> bool:
        """Whether all weights are 1 from beginning to end."""
        return not self.auto and self.schedule.constant and set(self.weights) == {1.0}

    def current_weights(self) -> list[float]:
        """Compute the weight of each pair at the running iteration; one that is
        found, beside its scale."""
        factor = self.schedule.current()
        return [weight * factor for weight in self.weights]

    def check(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """See whether the loss takes features of these shapes, of any call.

        Args:
            student_shapes (Sequence[torch.Size]): Shapes of the student's features,
                ``(N, C, H, W)`` or ``(N, C)``, one per pair.
            teacher_shapes (Sequence[torch.Size]): Shapes of the teacher's.

        Raises:
            ValueError: If it does not.
        """

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Make the connectors for features of these shapes, one per pair.

        The spatial sizes are those of a small probe image; only their ratio
        holds in training.

        Args:
            student_shapes (Sequence[torch.Size]): Shapes of the student's features,
                ``(N, C, H, W)`` or ``(N, C)``.
            teacher_shapes (Sequence[torch.Size]): Shapes of the teacher's.

        Raises:
            ValueError: If the loss does not take features of such shapes.
        """

    def attach_student(self, net: nn.Module) -> None:
        """Look at the student, for losses that need to.

        Args:
            net (nn.Module): The whole student.
        """

    def attach_teacher(self, modules: Sequence[nn.Module], net: nn.Module | None = None) -> None:
        """Look at the teacher's trained modules, for losses that need to.

        Args:
            modules (Sequence[nn.Module]): Those of the pairs.
            net (nn.Module, optional): The whole teacher. Defaults to None.
        """

    def __call__(self, student: list[Tensor], teacher: list[Tensor], *args, **kwargs) -> list:
        """Compute the loss; NaN or Inf of the teacher makes its terms and their
        gradients NaN, where a norm, a margin or a softmax would hide it."""
        terms = super().__call__(student, teacher, *args, **kwargs)
        return [term * _soundness(x) for term, x in zip(terms, teacher)]

    @abstractmethod
    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the loss.

        Args:
            student (list[Tensor]): The student's features, one per pair.
            teacher (list[Tensor]): The teacher's, without gradient.
            data_samples (list, optional): The batch's data samples.

        Returns:
            list[Tensor]: An unweighted scalar for each pair.
        """


def _soundness(x: Tensor) -> Tensor | float:
    """Return one, or NaN for a tensor with a value that is not finite."""
    if not x.numel():
        return 1.0
    low, high = torch.aminmax(x.detach())
    return 1 + low.float() * 0 + high.float() * 0
