"""What the tools add to mmengine's runner."""
from .checkpoint import load_state, load_weights, make_loading_safe

__all__ = ['load_state', 'load_weights', 'make_loading_safe']
