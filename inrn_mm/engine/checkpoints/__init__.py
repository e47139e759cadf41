"""Checkpoint files, read without running code."""

from .reading import load_state, load_weights, make_loading_safe

__all__ = ['load_state', 'load_weights', 'make_loading_safe']
