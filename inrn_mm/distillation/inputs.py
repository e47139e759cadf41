"""From the student's input normalisation to the teacher's."""

import torch
from torch import Tensor, nn


class _Normalization:
    """What a data preprocessor did to an image.

    Covers mmengine's ``ImgDataPreprocessor`` (and mmdet's, which inherits
    it), mmpretrain's ``ClsDataPreprocessor`` and mmseg's
    ``SegDataPreProcessor``.
    """

    def __init__(self, preprocessor: nn.Module) -> None:
        # as mmengine, mmseg and mmpretrain call it
        self.swaps_channels = any(
            getattr(preprocessor, name, False)
            for name in ('_channel_conversion', 'channel_conversion', 'to_rgb')
        )
        self.mean, self.std = torch.zeros(1), torch.ones(1)
        if getattr(preprocessor, '_enable_normalize', False):
            self.mean = preprocessor.mean.detach().flatten().double().cpu()
            self.std = preprocessor.std.detach().flatten().double().cpu()
        pad_value = getattr(preprocessor, 'pad_value', getattr(preprocessor, 'pad_val', 0))
        self.pad_value = float(pad_value or 0)

    def stored_order(self, values: Tensor) -> Tensor:
        """Per-channel values in the order of the image file's reader."""
        return values.flip(0) if self.swaps_channels else values


class InputAdapter:
    """Turns a batch made for the student into the teacher's, exactly.

    A normalised batch holds ``(x - mean) / std``; another normalisation of
    the same pixels is one affine map per channel, after the channels are
    reordered. The padding around smaller images of a batch, which both sides
    fill *after* normalising, gets the teacher's value.

    Args:
        student (nn.Module): The student's data preprocessor.
        teacher (nn.Module): The teacher's data preprocessor.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module) -> None:
        source, target = _Normalization(student), _Normalization(teacher)
        self.flip = source.swaps_channels != target.swaps_channels
        # both in the teacher's channel order
        mean, std = (target.stored_order(source.stored_order(x)) for x in (source.mean, source.std))
        scale = std / target.std
        shift = (mean - target.mean) / target.std
        # a scale of 1 +- rounding is none
        self.scale = (
            None if torch.allclose(scale, torch.ones_like(scale), rtol=1e-6) else scale.tolist()
        )
        self.shift = (
            None if torch.allclose(shift, torch.zeros_like(shift), atol=1e-6) else shift.tolist()
        )
        self.pad_value = target.pad_value
        # the affine map takes the student's padding elsewhere
        self.repad = (
            self.shift is not None
            or (self.scale is not None and source.pad_value != 0)
            or source.pad_value != target.pad_value
        )
        self._constants: dict[tuple, Tensor] = {}

    @property
    def is_identity(self) -> bool:
        """Whether both sides see the very same numbers."""
        return not (self.flip or self.scale or self.shift or self.repad)

    def __call__(self, inputs: Tensor, data_samples: list | None = None) -> Tensor:
        """Convert a batch.

        Args:
            inputs (Tensor): The student's images ``(N, C, H, W)``.
            data_samples (list, optional): Data elements whose ``img_shape``
                tells the unpadded size. Defaults to None, no padding.

        Returns:
            Tensor: The teacher's images, same shape; the input itself where
            both sides agree.
        """
        if self.is_identity:
            return inputs
        out = inputs.flip(1) if self.flip else inputs
        if self.scale is not None:
            out = out * self._constant(self.scale, out)
        if self.shift is not None:
            out = out + self._constant(self.shift, out)
        if self.repad and data_samples is not None:
            valid = self._valid(data_samples, out)
            if valid is not None:
                out = torch.where(valid, out, self.pad_value)
        return out

    def _constant(self, values: list[float], like: Tensor) -> Tensor:
        key = (tuple(values), like.device, like.dtype)
        if key not in self._constants:
            self._constants[key] = like.new_tensor(values).view(1, -1, 1, 1)
        return self._constants[key]

    @staticmethod
    def _valid(data_samples: list, like: Tensor) -> Tensor | None:
        """Mask ``(N, 1, H, W)`` of the pixels that are no padding."""
        height, width = like.shape[-2:]
        sizes: list[tuple[int, int]] = [
            tuple(sample.metainfo.get('img_shape', (height, width))[:2]) for sample in data_samples
        ]
        if all(size == (height, width) for size in sizes):
            return None
        sizes = torch.tensor(sizes, device=like.device).view(-1, 2, 1, 1, 1)
        rows = torch.arange(height, device=like.device).view(-1, 1)
        columns = torch.arange(width, device=like.device)
        return (rows < sizes[:, 0]) & (columns < sizes[:, 1])
