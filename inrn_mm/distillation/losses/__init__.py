"""Distillation losses, one file each."""
from .attention import AttentionTransferLoss
from .base import DistillLoss
from .fitnet import FitNetLoss
from .logit_kd import LogitKDLoss
from .stage_mse import StageMSELoss

__all__ = [
    'AttentionTransferLoss', 'DistillLoss', 'FitNetLoss', 'LogitKDLoss',
    'StageMSELoss'
]
