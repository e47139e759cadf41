"""Distillation losses, one file each."""

from .attention import AttentionTransferLoss
from .attention_guided import AttentionGuidedLoss
from .base import DistillLoss
from .channel_wise import ChannelWiseLoss
from .contrastive import ContrastiveLoss
from .decoupled_kd import DecoupledKDLoss
from .dist import DISTLoss
from .fitnet import FitNetLoss
from .focal_global import FocalGlobalLoss
from .foundation import DenseFeatureLoss, GlobalFeatureLoss
from .localization import LocalizationLoss
from .logit_kd import LogitKDLoss
from .masked_generative import MaskedGenerativeLoss
from .overhaul import OverhaulLoss
from .pearson import PearsonLoss
from .queries import QueryKDLoss
from .relations import RelationLoss
from .review import ReviewLoss
from .stage_mse import StageMSELoss

__all__ = [
    'AttentionGuidedLoss',
    'AttentionTransferLoss',
    'ChannelWiseLoss',
    'ContrastiveLoss',
    'DISTLoss',
    'DecoupledKDLoss',
    'DenseFeatureLoss',
    'DistillLoss',
    'FitNetLoss',
    'FocalGlobalLoss',
    'GlobalFeatureLoss',
    'LocalizationLoss',
    'LogitKDLoss',
    'MaskedGenerativeLoss',
    'OverhaulLoss',
    'PearsonLoss',
    'QueryKDLoss',
    'RelationLoss',
    'ReviewLoss',
    'StageMSELoss',
]
