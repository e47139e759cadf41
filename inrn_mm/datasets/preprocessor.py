"""Augmentation and normalisation of whole batches."""

from collections.abc import Sequence

import torch
from mmengine.registry import MODELS
from mmpretrain.models import ClsDataPreprocessor
from torch import nn


@MODELS.register_module()
class BatchPreprocessor(ClsDataPreprocessor):
    """mmpretrain's preprocessor, which augments the batch in training first.

    The augmentations see uint8 images as they are stored, before the channels
    are reordered and normalised; ``batch_augments`` (MixUp, CutMix) come last,
    as in the parent.

    Args:
        transforms (Sequence[dict]): Modules that take and return a batch,
            such as :class:`BatchCropFlip`, :class:`BatchRandAugment` and
            :class:`BatchCutout`, in this order. Defaults to none.
        **kwargs: Arguments of :class:`mmpretrain.models.ClsDataPreprocessor`.

    Raises:
        ValueError: If the images of a batch to be augmented differ in size.
    """

    def __init__(self, transforms: Sequence[dict] = (), **kwargs) -> None:
        super().__init__(**kwargs)
        self.transforms = nn.Sequential(*(MODELS.build(transform) for transform in transforms))

    def forward(self, data: dict, training: bool = False) -> dict:
        """Augment if ``training``, then as the parent.

        Args:
            data (dict): ``inputs``, a batch or a list of images of one size,
                and ``data_samples``.
            training (bool): Defaults to False.
        """
        if training and len(self.transforms):
            data = dict(data, inputs=self._stack(data['inputs']))
            data['inputs'] = self.transforms(data['inputs'])
        return super().forward(data, training)

    def _stack(self, inputs) -> torch.Tensor:
        inputs = self.cast_data(inputs)
        if isinstance(inputs, torch.Tensor):
            return inputs
        sizes = sorted({tuple(x.shape) for x in inputs})
        if len(sizes) > 1:
            raise ValueError(
                'BatchPreprocessor augments images of one size, but a batch '
                f'has images of the shapes {sizes[0]} and {sizes[-1]}: add '
                "dict(type='Resize', scale=32) to the pipeline."
            )
        return torch.stack(inputs)
