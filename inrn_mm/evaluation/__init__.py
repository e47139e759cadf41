"""Metrics: the quality of fits and the size of their files, and what features tell."""

from .fit_metrics import MSSSIM, PSNR, SSIM, BitsPerPixel
from .probe_metric import ProbeMetric
from .quality import ms_ssim, psnr, ssim

__all__ = ['BitsPerPixel', 'MSSSIM', 'PSNR', 'ProbeMetric', 'SSIM', 'ms_ssim', 'psnr', 'ssim']
