"""How near a fit is, and how small its file, as mmengine metrics."""

from .fit_metrics import MSSSIM, PSNR, SSIM, BitsPerPixel
from .quality import ms_ssim, psnr, ssim

__all__ = ['BitsPerPixel', 'MSSSIM', 'PSNR', 'SSIM', 'ms_ssim', 'psnr', 'ssim']
