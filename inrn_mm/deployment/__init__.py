"""Trained networks as one file that runs without torch."""

from .networks import ExportedNetwork, make_exported

__all__ = ['ExportedNetwork', 'make_exported']
