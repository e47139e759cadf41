"""Networks that hold a signal, one file for each family."""

from .base import FittingNet
from .coordinates import FINER, SIREN, FourierMLP
from .hnerv import HNeRV
from .inrn import SingleStageINRN
from .nerv import NeRV

__all__ = ['FINER', 'FittingNet', 'FourierMLP', 'HNeRV', 'NeRV', 'SIREN', 'SingleStageINRN']
