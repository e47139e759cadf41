"""What classifiers need besides ``inrn_mm``; it imports mmpretrain.

Configs name it in ``custom_imports``.
"""

from .backbones.resnet_cifar import CIFARResNet
from .datasets.batch_transforms import BatchCropFlip, BatchCutout, BatchRandAugment
from .datasets.cifar100 import InMemoryCIFAR100, collate_in_memory
from .datasets.preprocessor import BatchPreprocessor

__all__ = [
    'BatchCropFlip',
    'BatchCutout',
    'BatchPreprocessor',
    'BatchRandAugment',
    'CIFARResNet',
    'InMemoryCIFAR100',
    'collate_in_memory',
]
