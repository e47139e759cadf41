"""Metrics of a fit: the quality of its frames and the size of its file."""

from .fit_metrics import MSSSIM, PSNR, SSIM, BitsPerPixel
from .quality import ms_ssim, psnr, ssim

__all__ = ['BitsPerPixel', 'MSSSIM', 'PSNR', 'SSIM', 'ms_ssim', 'psnr', 'ssim']
