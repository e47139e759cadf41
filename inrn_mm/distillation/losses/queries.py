"""KD between the queries of detection transformers."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.registry import MODELS
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ...utils.checks import check_number
from .base import DistillLoss
from .classes import ClassMap


@MODELS.register_module()
class QueryKDLoss(DistillLoss):
    r"""Teaches queries the teacher's, matched as the student matches objects.

    Queries have no order: those of the teacher that see an object stand for
    the ground truth, and the student's own assigner gives each a query of the
    student, on the last layer of its decoder. All its layers are then compared
    with the teacher's last: class scores by their divergence, summed over the
    classes, and boxes by the sum of absolute differences, as DETR compares them
    with the ground truth; both are divided by the number of matched queries.

    The student's denoising queries (DINO), which come first, have a ground
    truth of their own and are left out.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`: the class
            logits ``(layers, N, queries, C)`` of both networks, and the boxes
            ``(layers, N, queries, 4)`` as shares of the image (centre, width
            and height).
        use_sigmoid (bool): Each logit is a class of its own; otherwise a
            softmax with the background last. Defaults to True.
        min_score (float): The teacher's score from which on a query sees an
            object. Defaults to 0.3.
        class_map (Sequence[int], optional): Classes of the teacher, see
            :class:`ClassMap`. Defaults to None, the student's.
        weight (float | str | Sequence[float]): Defaults to 1 and 5, those of DETR's
            own losses.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.

    Raises:
        ValueError: If these are no queries, or the classes differ.
    """

    def __init__(
        self,
        pairs: Sequence[tuple],
        use_sigmoid: bool = True,
        min_score: float = 0.3,
        class_map: Sequence[int] | None = None,
        weight: float | str | Sequence[float] = (1.0, 5.0),
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        if len(self.pairs) != 2:
            raise ValueError(
                'QueryKDLoss takes two pairs, of class logits and of boxes, such as '
                "('bbox_head[0]', 'bbox_head[0]') and ('bbox_head[1]', 'bbox_head[1]')."
            )
        check_number('min_score', min_score, least=0, below=1)
        self.use_sigmoid = use_sigmoid
        self.min_score = min_score
        self.classes = ClassMap(class_map)

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Check that these are queries of the same classes.

        Args:
            student_shapes (Sequence[torch.Size]): Shapes of the student's
                logits and boxes.
            teacher_shapes (Sequence[torch.Size]): Shapes of the teacher's.

        Raises:
            ValueError: If they are not.
        """
        shapes = [*student_shapes, *teacher_shapes]
        if any(len(shape) != 4 for shape in shapes) or {x[3] for x in shapes[1::2]} != {4}:
            raise ValueError(
                'QueryKDLoss compares queries (layers, N, queries, C) with boxes of four numbers, '
                f'but the layers give the shapes {[tuple(shape) for shape in shapes]}.'
            )
        own, other = student_shapes[0][3], teacher_shapes[0][3]
        if self.classes.given:
            self.classes.check(self.pairs[0][0], own, other)
        elif own != other:
            raise ValueError(
                f'QueryKDLoss compares the same classes, but the student scores {own} and the '
                f'teacher {other}: say by class_map which are the same.'
            )

    def attach_student(self, net: nn.Module) -> None:
        """Learn how the student matches queries with objects.

        Args:
            net (nn.Module): The student, with ``bbox_head.assigner`` and
                ``num_queries``.

        Raises:
            ValueError: If it has none.
        """
        assigner = getattr(getattr(net, 'bbox_head', None), 'assigner', None)
        self._num_queries = getattr(net, 'num_queries', 0)
        if assigner is None or not self._num_queries:
            raise ValueError(
                f'QueryKDLoss matches queries as the student does, but {type(net).__name__} has '
                'no bbox_head.assigner or no num_queries.'
            )
        self._assigner = assigner

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the divergence of the classes and the difference of the
        boxes, in float32."""
        logits, boxes = (x[:, :, -self._num_queries :].float() for x in student)
        known, known_boxes = (x[-1].float() for x in teacher)
        own = logits.shape[3]
        logits = self.classes.student(logits.flatten(0, 2)).unflatten(0, logits.shape[:3])
        known = self.classes.teacher(known.flatten(0, 1), own).unflatten(0, known.shape[:2])
        images, queries, objects = self._match(logits[-1], boxes[-1], known, known_boxes)
        count = max(len(images), 1) * len(logits)
        s, t = logits[:, images, queries], known[images, objects]
        error = (boxes[:, images, queries] - known_boxes[images, objects]).abs().sum()
        return [self._divergence(s, t.expand_as(s)) / count, error / count]

    def _divergence(self, s: Tensor, t: Tensor) -> Tensor:
        if not self.use_sigmoid:
            s, t = s.log_softmax(-1), t.log_softmax(-1)
            return F.kl_div(s, t, reduction='sum', log_target=True)
        # of Bernoulli distributions, as in LogitKDLoss
        return (F.logsigmoid(t) - F.logsigmoid(s) + torch.sigmoid(-t) * (s - t)).sum()

    @torch.no_grad()
    def _match(
        self, logits: Tensor, boxes: Tensor, known: Tensor, known_boxes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Match queries of all images.

        Returns:
            tuple: The image, the student's query and the teacher's of each match.
        """
        scores = known.sigmoid() if self.use_sigmoid else known.softmax(-1)[..., :-1]
        best, labels = scores.max(-1)
        matches = []
        for i, (score, label) in enumerate(zip(best, labels)):
            objects = (score >= self.min_score).nonzero()[:, 0]
            truth = InstanceData(bboxes=_corners(known_boxes[i, objects]), labels=label[objects])
            guess = InstanceData(scores=logits[i], bboxes=_corners(boxes[i]))
            found = self._assigner.assign(guess, truth, dict(img_shape=(1, 1))).gt_inds
            queries = (found > 0).nonzero()[:, 0]
            image = torch.full_like(queries, i)
            matches.append((image, queries, objects[found[queries] - 1]))
        images, queries, objects = (torch.cat(part) for part in zip(*matches))
        return images, queries, objects


def _corners(boxes: Tensor) -> Tensor:
    """Convert centre, width and height to corners."""
    centre, size = boxes.split(2, -1)
    return torch.cat([centre - size / 2, centre + size / 2], -1)
