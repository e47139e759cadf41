"""Imports what steps with classifiers need, see :mod:`.preload`."""

from .preload import quietly

quietly('mmpretrain.datasets', 'mmpretrain.engine', 'mmpretrain.evaluation', 'mmpretrain.models')
