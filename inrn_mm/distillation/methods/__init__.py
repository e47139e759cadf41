"""Distillation methods by name, one file each."""

from . import at, auto, crd, cwd, dist, dkd, fbkd, fgd, fitnet, inrn, kd, ld, mgd, ofd, pkd, review  # noqa: F401  # their import registers them
from .choice import choose_losses, list_methods
from .networks import Network, Place
from .pairing import Unpaired
from .registry import METHODS

__all__ = ['METHODS', 'Network', 'Place', 'Unpaired', 'choose_losses', 'list_methods']
