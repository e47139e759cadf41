"""Imports what steps with detectors need, see :mod:`.preload`."""

from .preload import quietly

quietly('mmdet.datasets', 'mmdet.engine', 'mmdet.evaluation', 'mmdet.models')
