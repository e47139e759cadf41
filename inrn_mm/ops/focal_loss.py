"""Focal losses, with the signatures of ``mmcv._ext``."""

import torch
from torch import Tensor

from .precision import widen

TINY = torch.finfo(torch.float32).tiny


def _sigmoid_parts(input: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute where a class is the target's, p and 1 - p."""
    positive = target[:, None] == torch.arange(input.shape[1], device=target.device)
    p = widen(input).sigmoid()
    return positive, p, 1 - p


def _weigh(value: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Multiply rows by the weights of their classes, if there are any."""
    if not weight.numel():
        return value
    # background, the class behind the last, has no weight of its own
    rows = torch.cat([widen(weight), weight.new_ones(1).to(widen(weight).dtype)])
    rows = rows[target.clamp(0, len(weight))]
    return value * (rows[:, None] if value.dim() == 2 else rows)


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Compute the focal loss of independent classes (Lin et al. 2017, Eq. 5).

    Args:
        input (Tensor): Logits, shape (N, C).
        target (Tensor): Classes, int64 of shape (N, ); C is background.
        weight (Tensor): Weights of the classes, shape (C, ), or empty.
        output (Tensor): Filled, shape (N, C).
        gamma (float): Exponent that turns easy examples down.
        alpha (float): Weight of positive examples; negative ones have the rest.
    """
    positive, p, q = _sigmoid_parts(input, target)
    log_p, log_q = p.clamp(min=TINY).log(), q.clamp(min=TINY).log()
    loss = torch.where(positive, -alpha * q**gamma * log_p, (alpha - 1) * p**gamma * log_q)
    output.copy_(_weigh(loss, target, weight))


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Compute the derivative of :func:`sigmoid_focal_loss_forward`.

    Args:
        input (Tensor): As there, like all that is not named here.
        grad_input (Tensor): Filled, shape (N, C).
    """
    positive, p, q = _sigmoid_parts(input, target)
    log_p, log_q = p.clamp(min=TINY).log(), q.clamp(min=TINY).log()
    grad = torch.where(
        positive,
        -alpha * q**gamma * (q - gamma * p * log_p),
        (alpha - 1) * p**gamma * (gamma * q * log_q - p),
    )
    grad_input.copy_(_weigh(grad, target, weight))


def softmax_focal_loss_forward(
    softmax: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Compute the focal loss of exclusive classes.

    Args:
        softmax (Tensor): Probabilities, shape (N, C).
        target (Tensor): Classes, int64 of shape (N, ); negative ones count 0.
        weight (Tensor): Weights of the classes, shape (C, ), or empty.
        output (Tensor): Filled, shape (N, ).
        gamma (float): Exponent that turns easy examples down.
        alpha (float): Factor of the loss.
    """
    p = widen(softmax).gather(1, target.clamp(min=0)[:, None])[:, 0]
    loss = -alpha * (1 - p) ** gamma * p.clamp(min=TINY).log()
    output.copy_(_weigh(loss, target, weight) * (target >= 0))


def softmax_focal_loss_backward(
    softmax: Tensor,
    target: Tensor,
    weight: Tensor,
    buff: Tensor,
    grad_input: Tensor,
    gamma: float,
    alpha: float,
) -> None:
    """Compute the derivative of :func:`softmax_focal_loss_forward` by the logits.

    Args:
        softmax (Tensor): As there, like all that is not named here.
        buff (Tensor): Filled with the derivative by the target's probability,
            times that probability, shape (N, ).
        grad_input (Tensor): Filled, shape (N, C).
    """
    probabilities = widen(softmax)
    index = target.clamp(min=0)[:, None]
    p = probabilities.gather(1, index)[:, 0]
    q = 1 - p
    factor = alpha * (gamma * q ** (gamma - 1) * p * p.clamp(min=TINY).log() - q**gamma)
    factor = _weigh(factor, target, weight) * (target >= 0)
    buff.copy_(factor)
    one_hot = torch.zeros_like(probabilities).scatter_(1, index, 1.0)
    grad_input.copy_(factor[:, None] * (one_hot - probabilities))
