"""The teacher sees exactly what its own preprocessor would have made."""

import pytest
import torch
from mmengine.model import ImgDataPreprocessor
from mmengine.structures import BaseDataElement
from torch import nn

from inrn_mm.distillation.inputs import InputAdapter

RGB = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], bgr_to_rgb=True)
BGR = dict(mean=[103.53, 116.28, 123.675], std=[1.0, 1.0, 1.0], bgr_to_rgb=False)
OTHER = dict(mean=[90.0, 100.0, 130.0], std=[50.0, 40.0, 30.0], bgr_to_rgb=True)
RAW = dict()
PADDED = dict(BGR, pad_value=7)


def preprocess(cfg, images):
    preprocessor = ImgDataPreprocessor(pad_size_divisor=16, **cfg)
    return preprocessor, preprocessor(dict(inputs=images))['inputs']


@pytest.mark.parametrize('student', [RGB, BGR, OTHER, RAW, PADDED])
@pytest.mark.parametrize('teacher', [RGB, BGR, OTHER, RAW, PADDED])
def test_equals_the_teachers_own_preprocessor(student, teacher):
    torch.manual_seed(0)
    images = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in ((20, 30), (32, 17))]
    samples = [BaseDataElement(metainfo=dict(img_shape=tuple(image.shape[1:]))) for image in images]
    student, inputs = preprocess(student, images)
    teacher, expected = preprocess(teacher, images)
    out = InputAdapter(student, teacher)(inputs, samples)
    torch.testing.assert_close(out, expected, rtol=1e-5, atol=1e-3)


def test_costs_nothing_where_both_agree():
    student, inputs = preprocess(RGB, [torch.rand(3, 16, 16)])
    adapter = InputAdapter(student, preprocess(RGB, [inputs[0]])[0])
    assert adapter.is_identity
    assert adapter(inputs) is inputs


def test_mmpretrain_and_mmdet_preprocessors():
    """mmpretrain calls the channel swap ``to_rgb``."""
    cls = pytest.importorskip('mmpretrain.models').ClsDataPreprocessor(
        mean=RGB['mean'], std=RGB['std'], to_rgb=True
    )
    det = pytest.importorskip('mmdet.models').DetDataPreprocessor(**BGR)
    image = torch.randint(0, 256, (3, 16, 16), dtype=torch.uint8)
    inputs = cls(dict(inputs=[image]))['inputs']
    expected = det(dict(inputs=[image], data_samples=None))['inputs']
    torch.testing.assert_close(InputAdapter(cls, det)(inputs), expected, rtol=1e-5, atol=1e-3)


class SegDataPreProcessor(nn.Module):
    """mmseg's, as far as it normalises and pads, under its names."""

    def __init__(self, mean, std, bgr_to_rgb=False, rgb_to_bgr=False, pad_val=0):
        super().__init__()
        self.channel_conversion = rgb_to_bgr or bgr_to_rgb
        self._enable_normalize = True
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), False)
        self.pad_val = pad_val

    def forward(self, images):
        if self.channel_conversion:
            images = [image[[2, 1, 0]] for image in images]
        images = [(image.float() - self.mean) / self.std for image in images]
        size = torch.tensor([image.shape[1:] for image in images]).amax(0)
        return torch.stack(
            [
                nn.functional.pad(
                    image,
                    (0, size[1] - image.shape[2], 0, size[0] - image.shape[1]),
                    value=self.pad_val,
                )
                for image in images
            ]
        )


@pytest.mark.parametrize('seg', [RGB, dict(RGB, pad_val=7), BGR])
def test_mmsegs_preprocessor(seg):
    images = [torch.randint(0, 256, (3, *size), dtype=torch.uint8) for size in ((16, 32), (32, 16))]
    samples = [BaseDataElement(metainfo=dict(img_shape=tuple(image.shape[1:]))) for image in images]
    seg = SegDataPreProcessor(**seg)
    for cfg in (RGB, BGR, PADDED):
        other, inputs = preprocess(cfg, images)
        close = dict(rtol=1e-5, atol=1e-3)
        torch.testing.assert_close(InputAdapter(seg, other)(seg(images), samples), inputs, **close)
        torch.testing.assert_close(InputAdapter(other, seg)(inputs, samples), seg(images), **close)
