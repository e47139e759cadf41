"""INRN and knowledge distillation for the OpenMMLab stack.

Importing the package registers its models, losses and hooks with mmengine.
"""

from . import backbones, distillation, engine, evaluation, fitting, layers, registry
from .version import __version__

__all__ = [
    '__version__',
    'backbones',
    'distillation',
    'engine',
    'evaluation',
    'fitting',
    'layers',
    'registry',
]
