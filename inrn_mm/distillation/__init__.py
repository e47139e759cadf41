"""Knowledge distillation: a frozen teacher, feature taps, losses."""

from .connectors import AlignConv
from .distiller import KnowledgeDistiller
from .losses import DistillLoss, StageMSELoss
from .schedule import WeightSchedule
from .taps import Tap

__all__ = [
    'AlignConv',
    'DistillLoss',
    'KnowledgeDistiller',
    'StageMSELoss',
    'Tap',
    'WeightSchedule',
]
