"""Images without labels, CIFAR-100 in memory, transforms of whole batches, checks of data sets."""

from .image_folders import ImageFolders

__all__ = ['ImageFolders']
