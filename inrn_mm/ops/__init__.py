"""mmcv's operators without a compiler.

What mmdet and mmpretrain use of ``mmcv._ext`` is written here on torchvision's
operators and in plain torch, one family a file, each function with mmcv's
signature. ``import inrn_mm`` makes it stand in where mmcv has no compiled
operators, or they do not load because they were built for another torch; the
environment's ``INRN_MMCV_OPS=compiled`` or ``=torchvision`` decides otherwise.

``python -m inrn_mm.ops install`` puts it into the environment for programs that
import mmdet before anything of this package.
"""

from .finder import find_operators, log_operators, register_finder

__all__ = ['find_operators', 'log_operators', 'register_finder']
