"""Learnable maps from the student's features to the teacher's."""

from .align import AlignConv, resize_like
from .context import GlobalContext
from .fusion import AttentionFusion
from .hint import HintRegressor
from .mlp import MLPHead
from .projection import NormedConv
from .relations import NonLocalRelations
from .resize import Resize

__all__ = [
    'AlignConv',
    'AttentionFusion',
    'GlobalContext',
    'HintRegressor',
    'MLPHead',
    'NonLocalRelations',
    'NormedConv',
    'Resize',
    'resize_like',
]
