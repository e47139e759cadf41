"""INRN and knowledge distillation for the OpenMMLab stack.

Importing the package registers its models, losses and hooks with mmengine.
"""

from . import backbones, datasets, distillation, engine, evaluation, fitting, layers, ops, registry
from .version import __version__

ops.register_finder()

__all__ = [
    '__version__',
    'backbones',
    'datasets',
    'distillation',
    'engine',
    'evaluation',
    'fitting',
    'layers',
    'ops',
    'registry',
]
