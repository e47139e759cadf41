"""From the student's inputs to the teacher's."""

import copy
import math

import torch
import torch.nn.functional as F
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from .layouts import Size


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
        """Put per-channel values into the channel order of the loaded image."""
        return values.flip(0) if self.swaps_channels else values


class InputAdapter:
    """Turns a batch made for the student into the teacher's, exactly.

    A normalised batch holds ``(x - mean) / std``; another normalisation of
    the same pixels is one affine map per channel, after the channels are
    reordered. The padding around smaller images of a batch, which both sides
    fill *after* normalising, gets the teacher's value.

    Args:
        student (nn.Module): The student's data preprocessor.
        teacher (nn.Module, optional): The teacher's data preprocessor; one
            without any takes the student's images. Defaults to None.
    """

    def __init__(self, student: nn.Module, teacher: nn.Module | None = None) -> None:
        source, target = _Normalization(student), _Normalization(teacher or student)
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

    def __call__(self, inputs: Tensor, data_samples: list | dict | None = None) -> Tensor:
        """Convert a batch.

        Args:
            inputs (Tensor): The student's images ``(N, C, H, W)``.
            data_samples (list | dict, optional): Data samples whose
                ``img_shape`` tells the unpadded size, see :func:`metainfos`.
                Defaults to None, no padding.

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
    def _valid(data_samples: list | dict, like: Tensor) -> Tensor | None:
        """Make a mask ``(N, 1, H, W)`` of the pixels that are no padding."""
        height, width = like.shape[-2:]
        sizes = [
            tuple(meta.get('img_shape', (height, width))[:2]) for meta in metainfos(data_samples)
        ]
        if all(size == (height, width) for size in sizes):
            return None
        sizes = torch.tensor(sizes, device=like.device).view(-1, 2, 1, 1, 1)
        rows = torch.arange(height, device=like.device).view(-1, 1)
        columns = torch.arange(width, device=like.device)
        return (rows < sizes[:, 0]) & (columns < sizes[:, 1])


class SizeAdapter:
    """Brings images to a size that the teacher takes.

    A network with a fixed size gets them resized; one whose preprocessor pads
    to a multiple gets them padded, as it would pad them itself.

    Args:
        preprocessor (nn.Module, optional): The teacher's data preprocessor.

    Attributes:
        fixed (tuple[int, int], optional): The only size that it takes.
    """

    def __init__(self, preprocessor: nn.Module | None) -> None:
        self.divisor = int(getattr(preprocessor, 'pad_size_divisor', None) or 1)
        self.pad_value = 0.0 if preprocessor is None else _Normalization(preprocessor).pad_value
        self.fixed: Size | None = None

    def __call__(
        self, inputs: Tensor, data_samples: list | dict | None
    ) -> tuple[Tensor, list | dict | None, tuple[float, float]]:
        """Resize or pad.

        Args:
            inputs (Tensor): Images ``(N, C, H, W)``, normalised.
            data_samples (list, optional): Their data samples.

        Returns:
            tuple: Images, data samples with the images' new size, and the
            share of height and width that is not added padding.
        """
        height, width = size = tuple(inputs.shape[-2:])
        if self.fixed is not None:
            if size != self.fixed:
                resized = F.interpolate(
                    inputs.float(), self.fixed, mode='bilinear', align_corners=False, antialias=True
                )
                inputs = resized.to(inputs.dtype)
            return inputs, data_samples, (1.0, 1.0)
        target = tuple(math.ceil(side / self.divisor) * self.divisor for side in size)
        if target == size:
            return inputs, data_samples, (1.0, 1.0)
        padding = (0, target[1] - width, 0, target[0] - height)
        inputs = F.pad(inputs, padding, value=self.pad_value)
        return inputs, _padded(data_samples, target), (height / target[0], width / target[1])


def metainfos(data_samples: list | dict) -> list[dict]:
    """Find the meta information of each image.

    Args:
        data_samples (list | dict): Data elements or dicts; or, as mmyolo has
            them, a dict with a list of dicts as ``img_metas``.
    """
    if isinstance(data_samples, dict):
        data_samples = data_samples.get('img_metas', [])
    return [x if isinstance(x, dict) else x.metainfo for x in data_samples]


def _padded(data_samples: list | dict | None, size: Size) -> list | dict | None:
    """Copy data samples for a batch of another size."""
    if isinstance(data_samples, dict):
        metas = _padded(data_samples.get('img_metas'), size)
        return data_samples if metas is None else dict(data_samples, img_metas=metas)
    copies = []
    for sample in data_samples or []:
        sample = copy.copy(sample)
        for name in ('batch_input_shape', 'pad_shape'):
            if name not in sample:
                continue
            if isinstance(sample, BaseDataElement):
                sample.set_metainfo({name: size})
            else:
                sample[name] = size
        copies.append(sample)
    return data_samples and copies
