"""FGD: focal and global distillation of detectors."""

from collections.abc import Sequence

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from ...utils.checks import check_number
from ..connectors import GlobalContext
from .aligned import AlignedLoss
from .targets import relative_boxes

# boxes drawn at a time, which bounds the memory
_BOXES = 16


@MODELS.register_module()
class FocalGlobalLoss(AlignedLoss):
    r"""Foreground, background, attention and context of detectors' features.

    `Focal and Global Knowledge Distillation for Detectors
    <https://arxiv.org/abs/2111.11837>`_ (Eq. 3-13):

    .. math::
        L = \frac{1}{N} \sum \Big[
            (\alpha M^{fg} + \beta M^{bg}) A^S_t A^C_t (F_s - F_t)^2
            + \gamma (|A^S_s - A^S_t| + |A^C_s - A^C_t|)
            + \lambda (R_s(F_s) - R_t(F_t))^2 \Big]

    :math:`A^S = H W \, softmax(\bar{|F|}_c / T)` is the attention to places,
    :math:`A^C = C \, softmax(\bar{|F|}_{hw} / T)` that to channels. A place
    in ground-truth boxes has the foreground weight 1 / area of the smallest
    of them, the others share the background weight 1. R adds the global
    context, learned on both sides.

    The boxes are placed by the padded input's size; the published code
    divides by the size before padding, which shifts them in padded batches.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`; the paper's
            are the levels of both FPNs.
        temperature (float): T. Defaults to 0.5.
        alpha (float): Foreground weight. Defaults to 5e-5, like the next
            three that of Faster R-CNN; one-stage detectors have 1e-3, 5e-4,
            1e-3 and 5e-6.
        beta (float): Background weight. Defaults to 2.5e-5.
        gamma (float): Attention weight. Defaults to 5e-5.
        lambda_ (float): Context weight. Defaults to 5e-7.
        weight (float | str | Sequence[float]): Defaults to 1.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.

    Raises:
        ValueError: If the temperature is not positive.
    """

    needs_annotations = True

    def __init__(
        self,
        pairs: Sequence[tuple],
        temperature: float = 0.5,
        alpha: float = 5e-5,
        beta: float = 2.5e-5,
        gamma: float = 5e-5,
        lambda_: float = 5e-7,
        weight: float | str | Sequence[float] = 1.0,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        check_number('temperature', temperature, above=0)
        for name, factor in dict(alpha=alpha, beta=beta, gamma=gamma, lambda_=lambda_).items():
            check_number(name, factor)
        self.temperature = temperature
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.lambda_ = lambda_
        self.student_context = nn.ModuleList()
        self.teacher_context = nn.ModuleList()

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Make the context blocks, and align convolutions."""
        super().build(student_shapes, teacher_shapes)
        for shape in teacher_shapes:
            self.student_context.append(GlobalContext(shape[1]))
            self.teacher_context.append(GlobalContext(shape[1]))

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the focal and global loss of each pair, in float32."""
        boxes = relative_boxes(self, student[0].device, data_samples)
        pairs = self.aligned(student, teacher)
        with torch.autocast(boxes.device.type, enabled=False):
            return [
                self.focal(s, t, boxes) + self.lambda_ * self.relation(i, s, t) / len(t)
                for i, (s, t) in enumerate(pairs)
            ]

    def focal(self, student: Tensor, teacher: Tensor, boxes: Tensor) -> Tensor:
        """Compute the weighted squared error and the absolute error of the attention.

        Args:
            student (Tensor): ``(N, C, H, W)``, aligned.
            teacher (Tensor): ``(N, C, H, W)``.
            boxes (Tensor): See :func:`relative_boxes`.

        Returns:
            Tensor: A scalar, the mean over the images.
        """
        (places_s, channels_s), (places_t, channels_t) = (
            self.attention(x) for x in (student, teacher)
        )
        error = (channels_t * (student - teacher).square()).sum(1)
        foreground, background = focus(boxes, error.shape[-2:])
        error = (self.alpha * foreground + self.beta * background) * places_t * error
        attention = (places_s - places_t).abs().sum() + (channels_s - channels_t).abs().sum()
        return (error.sum() + self.gamma * attention) / len(teacher)

    def attention(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Compute attention to places ``(N, H, W)`` and channels ``(N, C, 1, 1)``."""
        n, c, h, w = x.shape
        x = x.abs()
        places = (x.mean(1).flatten(1) / self.temperature).softmax(1)
        channels = (x.mean((2, 3)) / self.temperature).softmax(1)
        return h * w * places.view(n, h, w), c * channels.view(n, c, 1, 1)

    def relation(self, i: int, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the squared error of the features with their context.

        Args:
            i (int): Number of the pair.
            student (Tensor): ``(N, C, H, W)``, aligned.
            teacher (Tensor): ``(N, C, H, W)``.

        Returns:
            Tensor: A scalar, the sum over the batch.
        """
        student = self.student_context[i](student).float()
        teacher = self.teacher_context[i](teacher).float()
        return (student - teacher).square().sum()


def focus(boxes: Tensor, size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Compute the weights of places in and outside of boxes.

    Args:
        boxes (Tensor): ``(N, M, 4)``, as shares of the map, see
            :func:`relative_boxes`.
        size (Sequence[int]): Height and width of the map.

    Returns:
        tuple[Tensor, Tensor]: Foreground weights ``(N, H, W)``, 1 / area of
        the smallest box around a place (0 outside), and background weights,
        which are 0 inside of boxes and sum up to 1 (or 0 without background).
    """
    height, width = size
    x1, y1, x2, y2 = boxes.unbind(2)
    x1, x2 = (x1 * width).floor(), (x2 * width).ceil()
    y1, y2 = (y1 * height).floor(), (y2 * height).ceil()
    weight = 1 / ((y2 + 1 - y1) * (x2 + 1 - x1))
    rows = torch.arange(height, device=boxes.device)
    columns = torch.arange(width, device=boxes.device)
    in_rows = (rows >= y1[..., None]) & (rows <= y2[..., None])
    in_columns = (columns >= x1[..., None]) & (columns <= x2[..., None])

    foreground = boxes.new_zeros(len(boxes), height, width)
    for part in zip(*(x.split(_BOXES, 1) for x in (in_rows, in_columns, weight))):
        inside = part[0][..., None] & part[1][:, :, None]
        drawn = torch.where(inside, part[2][..., None, None], 0.0)
        if drawn.shape[1]:
            foreground = torch.maximum(foreground, drawn.amax(1))
    background = (foreground == 0).float()
    return foreground, background / background.sum((1, 2), keepdim=True).clamp(min=1)
