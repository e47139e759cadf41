"""The loss of single-stage networks (paper, Eq. 1)."""

from functools import cache

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from .precision import full_precision

NORMS = ('mse', 'l1', 'printed')
K1, K2 = 0.01, 0.03  # the constants of SSIM's paper, for a data range of 1


@MODELS.register_module()
class FittingLoss(nn.Module):
    r"""A norm of the difference and structural similarity (Eq. 1).

    .. math:: L = \alpha \frac{1}{N} \|f(X) - Y\|_2
                  + (1 - \alpha) (1 - \mathrm{SSIM}(f(X), Y))

    Args:
        alpha (float): Weight of the norm; with 1 no SSIM is computed. The
            paper gives no value, NeRV has 0.7. Defaults to 0.7.
        norm (str): ``'mse'``, the mean squared error, is how "L2 loss" is
            read here; ``'l1'``, the mean absolute error, is the better one
            with SSIM in NeRV's ablation; ``'printed'`` is the
            equation to the letter, the root of the sum of squares over the
            number of values, whose weight shrinks with the size of the
            image: of 720 x 1280 pixels it is 1/1663 of the root mean square,
            which leaves SSIM alone. Defaults to ``'mse'``.

    Raises:
        ValueError: If the norm is unknown or alpha not in [0, 1].
    """

    def __init__(self, alpha: float = 0.7, norm: str = 'mse') -> None:
        super().__init__()
        if norm not in NORMS:
            raise ValueError(f"Unknown norm '{norm}': it is one of {', '.join(NORMS)}.")
        if not 0 <= alpha <= 1:
            raise ValueError(f'alpha must be in [0, 1], got {alpha}.')
        self.alpha = alpha
        self.norm = norm

    def forward(
        self, pred: Tensor, target: Tensor, moments: tuple[Tensor, Tensor] | None = None
    ) -> dict[str, Tensor]:
        """Compute both terms, weighted.

        Args:
            pred (Tensor): Shape ``(B, C, H, W)``.
            target (Tensor): The same shape, in [0, 1].
            moments (tuple[Tensor], optional): :func:`target_moments`, where
                the target stays the same from step to step.
                Defaults to None.

        Returns:
            dict: ``loss_norm`` and, if alpha is below 1, ``loss_ssim``.
        """
        # bfloat16 loses the small differences of a good fit
        with full_precision(pred):
            pred, target = pred.float(), target.float()
            losses = dict(loss_norm=self.alpha * self._norm(pred - target))
            if self.alpha < 1:
                similarity = ssim(pred, target, moments)
                losses['loss_ssim'] = (1 - self.alpha) * (1 - similarity)
        return losses

    def _norm(self, error: Tensor) -> Tensor:
        if self.norm == 'mse':
            return error.square().mean()
        if self.norm == 'l1':
            return error.abs().mean()
        return error.square().sum().sqrt() / error.numel()


def target_moments(target: Tensor) -> tuple[Tensor, Tensor]:
    """Compute the means of a target and of its square under SSIM's window."""
    mean, square = _blur(torch.cat([target, target.square()], 1)).chunk(2, 1)
    return mean, square


def ssim(pred: Tensor, target: Tensor, moments: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Compute structural similarity, differentiable: the mean over batch and pixels.

    The value is pytorch-msssim's, whose filter it uses (Gaussian window of 11
    pixels, sigma 1.5, no padding, data range 1), with the target's share of
    the work taken out.

    Args:
        pred (Tensor): Float32, shape ``(B, C, H, W)``.
        target (Tensor): The same shape.
        moments (tuple[Tensor], optional): :func:`target_moments` of the target.
            Defaults to None, computed here.
    """
    mu_y, square_y = moments or target_moments(target)
    mu_x, square_x, product = _blur(torch.cat([pred, pred.square(), pred * target], 1)).chunk(3, 1)
    mu_xy = mu_x * mu_y
    mu_squares = mu_x.square() + mu_y.square()
    covariance = product - mu_xy
    variances = square_x + square_y - mu_squares
    luminance = (2 * mu_xy + K1**2) / (mu_squares + K1**2)
    return (luminance * (2 * covariance + K2**2) / (variances + K2**2)).mean()


def _blur(x: Tensor) -> Tensor:
    """Compute means under the window; smaller images have a smaller window."""
    from pytorch_msssim.ssim import gaussian_filter

    window = _window(min(11, *x.shape[2:]), x.device, x.dtype)
    return gaussian_filter(x, window.repeat(x.shape[1], 1, 1, 1))


@cache
@torch.inference_mode(False)  # kept for training, whoever asks first
def _window(side: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Make the window once: a copy to the device in each step would wait for it."""
    from pytorch_msssim.ssim import _fspecial_gauss_1d

    window = _fspecial_gauss_1d(side - (side + 1) % 2, 1.5)
    return window.to(device, dtype)
