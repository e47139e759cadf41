"""Building blocks shared by every network of the package."""
from .inre_block import INReBlock
from .norm import LayerNorm2d

__all__ = ['INReBlock', 'LayerNorm2d']
