"""Norms of connectors, also for the last batch of an epoch."""

import torch.nn.functional as F
from mmengine.dist import get_world_size
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def apply_norm(norm: nn.Module, x: Tensor) -> Tensor:
    """Normalise, a lone value per channel by the running statistics.

    A last batch of one image whose map is 1x1 has no variance, and torch's
    batch norms refuse it, although the student may train with it.

    Args:
        norm (nn.Module): A norm layer, or an identity.
        x (Tensor): ``(N, C, H, W)``.

    Returns:
        Tensor: The normalised map, in the same shape.
    """
    lone = (
        norm.training
        and isinstance(norm, _BatchNorm)
        and norm.running_mean is not None
        and x.numel() == x.shape[1]
        # SyncBN has the values of the other ranks, and they wait for this one
        and (get_world_size() == 1 or not isinstance(norm, nn.SyncBatchNorm))
    )
    if not lone:
        return norm(x)
    return F.batch_norm(
        x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps
    )
