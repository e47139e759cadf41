"""A distillation loss, bound to the layers that it compares."""

from collections.abc import Mapping, Sequence

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from .layouts import Layout
from .losses import DistillLoss
from .probe import Probe
from .proposals import check_same_boxes, check_two_stage
from .recorder import Features
from .taps import Tap
from .weighting import log_name


class BoundLoss:
    """A loss with the layers, names and teacher that belong to it.

    Args:
        loss (DistillLoss): The loss; its connectors are made by
            :meth:`build`.
        student (nn.Module): The student.
        teachers (Mapping[str, nn.Module]): The networks of all teachers, by
            name.

    Attributes:
        teacher (str): Name of the teacher, or ``'self'``.
        taps (list[tuple[Tap, Tap]]): Layer of the student and of the teacher
            of each pair.
        names (list[str]): Name of each pair in the log.
        context (dict[str, Tap]): Layers of the student whose tensors the loss
            is given as data samples, by their names there.
        shapes (list[tuple[torch.Size, torch.Size]]): Shapes of the features of
            each pair, as probed by :meth:`build`.

    Raises:
        ValueError: If there is no such teacher or layer, or the layers
            belong to different boxes.
    """

    def __init__(
        self, loss: DistillLoss, student: nn.Module, teachers: Mapping[str, nn.Module]
    ) -> None:
        self.loss = loss
        self.teacher = self._choose_teacher(list(teachers))
        net = student if self.of_itself else teachers[self.teacher]
        if loss.same_proposals:
            check_two_stage(student, net)
        self.taps = [(Tap.parse(s, student), Tap.parse(t, net)) for s, t in loss.pairs]
        if not self.of_itself:
            check_same_boxes(sum(self.taps, ()), loss.same_proposals)
        self.context = {
            name: Tap.parse(layer, student) for name, layer in loss.context_layers.items()
        }
        self.names = [
            f'{loss.name}.' + (f'stage{s}' if isinstance(s, int) else s) for s, _ in loss.pairs
        ]
        self.shapes: list[tuple] = []
        self._layouts: list[tuple[Layout, ...]] = []

    def _choose_teacher(self, names: list[str]) -> str:
        kind, wanted = type(self.loss).__name__, self.loss.teacher
        if wanted is None and len(names) == 1:
            return names[0]
        if wanted is None:
            raise ValueError(
                f'{kind} must say which teacher it takes, by teacher= one of {[*names, "self"]}.'
            )
        if wanted not in [*names, 'self']:
            raise ValueError(
                f"{kind} takes the teacher '{wanted}', which is not there; choose one of "
                f'{[*names, "self"]}.'
            )
        return wanted

    @property
    def of_itself(self) -> bool:
        """Whether the student is its own teacher."""
        return self.teacher == 'self'

    @property
    def student_taps(self) -> list[Tap]:
        """Layers of the student that the features are from."""
        taps = [s for s, _ in self.taps]
        return taps + [t for _, t in self.taps] if self.of_itself else taps

    @property
    def teacher_taps(self) -> list[Tap]:
        """Layers of the teacher that the features are from."""
        return [] if self.of_itself else [t for _, t in self.taps]

    @property
    def takes_unlabeled(self) -> bool:
        """Whether it compares layers of any images, labelled or not."""
        loss = self.loss
        return not (loss.needs_annotations or loss.same_proposals or self.context)

    def build(self, student: Probe, teacher: Probe) -> None:
        """Find the layouts and make the loss's connectors.

        Args:
            student (Probe): What the student's layers give.
            teacher (Probe): What the teacher's layers give.

        Raises:
            ValueError: If the loss does not take what they give.
        """
        sides = student, teacher
        # regions of the images, the same on both sides
        own_images = not (self.loss.same_proposals or self.of_itself)
        for pair in self.taps:
            dims = [side.features[tap][0].dim() for side, tap in zip(sides, pair)]
            as_maps = self.loss.takes_maps or sorted(dims) == [3, 4]
            own, other = (
                side.layout(tap, own_images) if as_maps else Layout()
                for side, tap in zip(sides, pair)
            )
            self._layouts.append((own, other))
        calls = self.calls(student.features, teacher.features)
        for features in calls:
            self.loss.check(*([x.shape for x in side] for side in features))
        shapes = [[x.shape for x in side] for side in calls[0]]
        self.shapes = list(zip(*shapes))
        self.loss.build(*shapes)
        self.loss.attach_student(student.net)

    def terms(
        self, student: Features, teacher: Features, data_samples: list | dict | None
    ) -> list[Tensor]:
        """Compute the unweighted terms, averaged over calls and levels.

        Args:
            student (Features): The student's features.
            teacher (Features): The teacher's, without gradient.
            data_samples (list | dict, optional): The batch's data samples.

        Returns:
            list[Tensor]: A scalar for each pair.
        """
        if self.context:
            values = zip(*(student[tap] for tap in self.context.values()))
            data_samples = [BaseDataElement(**dict(zip(self.context, call))) for call in values]
        calls = self.calls(student, teacher)
        terms = [self.loss(*features, data_samples) for features in calls]
        return [sum(term) / len(term) for term in zip(*terms)]

    def weigh(self, terms: Sequence[Tensor], weights: Sequence[float]) -> dict[str, Tensor]:
        """Weight the terms, and tell what is logged beside them.

        Args:
            terms (Sequence[Tensor]): A scalar for each pair.
            weights (Sequence[float]): The weights of the running iteration.

        Returns:
            dict[str, Tensor]: ``loss_{name}``, which are summed, and where
            that says more ``raw_{name}`` and ``weight_{name}``.
        """
        entries = {}
        auto = self.loss.auto
        if auto:
            scaled = [weight * scale for weight, scale in zip(weights, auto.scales())]
        for name, weight, term in zip(self.names, scaled if auto else weights, terms):
            entries[f'loss_{name}'] = weight * term
            if not self.loss.unweighted:
                entries[log_name('raw', name)] = term.detach()
            if auto:
                entries[log_name('weight', name)] = torch.ones_like(term) * weight
        return entries

    def idle_terms(self, like: Tensor) -> list[Tensor]:
        """Return zeros with a gradient for all parameters of the loss, which
        DDP would otherwise wait for."""
        zero = sum((p.sum() * 0 for p in self.loss.parameters()), like.new_zeros(()))
        return [zero] * len(self.taps)

    def calls(self, student: Features, teacher: Features) -> list[tuple[list, list]]:
        """Lay out the features of both sides.

        Args:
            student (Features): The student's features.
            teacher (Features): The teacher's.

        Returns:
            list[tuple[list[Tensor], list[Tensor]]]: For each call of the
            layers, one tensor of each pair on both sides.

        Raises:
            ValueError: If the layers run differently often.
        """
        maps = [
            (student.maps(s, layouts[0]), teacher.maps(t, layouts[1]))
            for (s, t), layouts in zip(self.taps, self._layouts)
        ]
        counts = {len(side) for pair in maps for side in pair}
        if len(counts) > 1:
            listed = ', '.join(
                f"'{s}' {len(own)} and '{t}' {len(other)} times"
                for (s, t), (own, other) in zip(self.taps, maps)
            )
            raise ValueError(
                f'The layers of {type(self.loss).__name__} run differently often: {listed} '
                '(tokens of several levels count once for each); pair layers that run equally '
                "often, or name a call ('head@0') or a level ('encoder[0]')."
            )
        return [
            ([own[i] for own, _ in maps], [other[i] for _, other in maps])
            for i in range(counts.pop())
        ]


def check_names(several: Sequence[BoundLoss]) -> None:
    """Raise an error where two pairs would be logged under one name.

    Args:
        several (Sequence[BoundLoss]): All losses.

    Raises:
        ValueError: If there are two such pairs.
    """
    names = [name for bound in several for name in bound.names]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"Two distillation losses are called '{name}'; give one of them another `name`."
            )


def require_gradients(several: Sequence[BoundLoss], without_grad: set[Tap]) -> None:
    """See that losses can teach the layers that they compare.

    mmdet's and mmpretrain's blocks with ``with_cp=True`` run without
    autograd, and again in the backward pass.

    Args:
        several (Sequence[BoundLoss]): Losses.
        without_grad (set[Tap]): Layers that ran without autograd.

    Raises:
        ValueError: If one of theirs did.
    """
    lost = without_grad.intersection(s for bound in several for s, _ in bound.taps)
    if lost:
        raise ValueError(
            f"The student's layer '{min(map(str, lost))}' runs without "
            'autograd, so that no loss can teach it: it is under torch.no_grad '
            'or in a block with activation checkpointing; compare the end of '
            'its stage, or set with_cp=False there.'
        )
