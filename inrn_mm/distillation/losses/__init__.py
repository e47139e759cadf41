"""Distillation losses, one file each."""
from .base import DistillLoss
from .stage_mse import StageMSELoss

__all__ = ['DistillLoss', 'StageMSELoss']
