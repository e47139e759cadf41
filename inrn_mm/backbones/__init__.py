"""Multi-stage networks (paper, Fig. 1c)."""

from .inrn import INRN

__all__ = ['INRN']
