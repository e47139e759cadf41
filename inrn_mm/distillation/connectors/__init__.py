"""Learnable maps from the student's features to the teacher's."""
from .align import AlignConv, resize_like
from .hint import HintRegressor
from .resize import Resize

__all__ = ['AlignConv', 'HintRegressor', 'Resize', 'resize_like']
