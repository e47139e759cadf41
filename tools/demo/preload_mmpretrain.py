"""As :mod:`.preload`, for classifiers."""

from .preload import quietly

quietly('mmpretrain.datasets', 'mmpretrain.engine', 'mmpretrain.evaluation', 'mmpretrain.models')
