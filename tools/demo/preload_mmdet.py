"""As :mod:`.preload`, for detectors."""

from .preload import quietly

quietly('mmdet.datasets', 'mmdet.engine', 'mmdet.evaluation', 'mmdet.models')
