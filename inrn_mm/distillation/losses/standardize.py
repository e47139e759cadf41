"""Zero mean and unit variance, safe where there is no variance."""

import torch
from torch import Tensor

# deviations below this share of the values are rounding of float32
_ROUNDING = 1e-6


def center(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Subtract the mean.

    Args:
        x (Tensor): Values, in float32.
        dim (int): The dimension of a group of values.

    Returns:
        tuple[Tensor, Tensor]: ``x`` without its mean, and where ``x`` varies
        (not only by rounding; NaN varies, so that it is not lost), with
        ``dim`` kept as 1.
    """
    centered = x - x.mean(dim, keepdim=True)
    scale = x.detach().abs().amax(dim, keepdim=True)
    spread = centered.detach().abs().amax(dim, keepdim=True)
    return centered, ~(spread <= _ROUNDING * scale)


def standardize(x: Tensor, dim: int, eps: float, unbiased: bool = False) -> Tensor:
    """Compute z-scores.

    A group of equal values has no direction: it becomes zeros and gets no
    gradient, where dividing by ``eps`` alone would give one of ``1 / eps``.

    Args:
        x (Tensor): Values, in float32.
        dim (int): The dimension of a group of values.
        eps (float): Added to the standard deviation.
        unbiased (bool): Divide the variance by n - 1 instead of n.
            Defaults to False.

    Returns:
        Tensor: Z-scores in the shape of ``x``.
    """
    centered, varies = center(x, dim)
    count = max(x.shape[dim] - int(unbiased), 1)
    variance = centered.square().sum(dim, keepdim=True) / count
    std = torch.where(varies, variance, torch.ones_like(variance)).sqrt()
    return torch.where(varies, centered / (std + eps), torch.zeros_like(centered))
