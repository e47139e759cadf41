"""Building blocks shared by every network of the package."""

from .encoding import GridEncoding, PositionalEncoding, TimeGrid
from .inre_block import INReBlock
from .norm import LayerNorm2d

__all__ = ['GridEncoding', 'INReBlock', 'LayerNorm2d', 'PositionalEncoding', 'TimeGrid']
