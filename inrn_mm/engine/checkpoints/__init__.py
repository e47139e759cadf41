"""Checkpoint files: read without running code, written whole, resumed."""

from .reading import load_state, load_weights, make_loading_safe
from .resuming import find_last_checkpoint

__all__ = ['find_last_checkpoint', 'load_state', 'load_weights', 'make_loading_safe']
