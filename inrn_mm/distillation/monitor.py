"""How strongly each distillation loss pulls, next to the task."""
import torch
from torch import Tensor


def gradient_ratio(term: Tensor, task: Tensor, feature: Tensor) -> Tensor:
    """Norm of a loss's gradient at a feature over that of the task's.

    Far above 1 the loss drowns the task, far below it does nothing. Parameter
    gradients, and so DDP, are left alone.

    Args:
        term (Tensor): The weighted distillation loss, a scalar.
        task (Tensor): The student's own loss, a scalar.
        feature (Tensor): The student's feature that both depend on.

    Returns:
        Tensor: The ratio, 0 where one of them has no gradient there.
    """
    norms = []
    for loss in (term, task):
        grad = None
        if loss.requires_grad and feature.requires_grad:
            grad, = torch.autograd.grad(
                loss, feature, retain_graph=True, allow_unused=True)
        if grad is None:
            return feature.new_zeros(())
        norms.append(grad.float().norm())
    return norms[0] / norms[1].clamp(min=1e-12)
