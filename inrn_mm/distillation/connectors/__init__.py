"""Learnable maps from the student's features to the teacher's."""
from .align import AlignConv

__all__ = ['AlignConv']
