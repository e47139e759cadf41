"""The compact file of a fit, ``.inrn``."""

from .compact import CompactFit, check_bits, encode_fit, read_fit, write_fit
from .container import check_free
from .prune import MagnitudePruneHook, sparsity

__all__ = [
    'CompactFit',
    'MagnitudePruneHook',
    'check_bits',
    'check_free',
    'encode_fit',
    'read_fit',
    'sparsity',
    'write_fit',
]
