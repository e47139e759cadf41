"""The teacher sees exactly what its own preprocessor would have made."""

import pytest
import torch
from mmengine.model import ImgDataPreprocessor
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import nn
from toys import ToyModel, toy_config

from inrn_mm.distillation.inputs import InputAdapter
from inrn_mm.distillation.losses.targets import relative_boxes

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


@pytest.mark.parametrize('known', [True, False])
def test_mmyolos_data_samples(known):
    """A dict, whose meta information may not tell the sizes."""
    student, inputs = preprocess(RGB, [torch.rand(3, 20, 30), torch.rand(3, 32, 17)])
    teacher, expected = preprocess(PADDED, [torch.zeros(3, 1, 1)])
    metas = [dict(img_shape=s, batch_input_shape=(32, 32)) for s in ((20, 30), (32, 17))]
    if not known:
        metas = [dict(batch_input_shape=(32, 32))] * 2
    samples = dict(bboxes_labels=torch.zeros(3, 6), img_metas=metas)
    out = InputAdapter(student, teacher)(inputs, samples)
    assert out.shape == inputs.shape
    assert out[0, :, 20:].eq(7).all() == known


def test_a_distilled_step_with_mmyolos_data_samples():
    """Labels are the student's affair; boxes are found where FGD asks."""

    class Yolo(ToyModel):
        def forward(self, inputs, data_samples=None, mode='tensor'):
            if mode == 'loss':
                return dict(loss_cls=super().forward(inputs).square().mean())
            return super().forward(inputs, data_samples, mode)

    MODELS.register_module(name='YoloLike', module=Yolo, force=True)
    boxes = torch.tensor([[1, 0, 2.0, 2, 12, 20], [1, 2, 4, 4, 9, 9]])
    cfg = toy_config([dict(type='FocalGlobalLoss', pairs=[(1, 1)], alpha=1.0)])
    cfg['student'] = dict(type='YoloLike')
    cfg['teacher'].update(mean=[1.0, 2.0, 3.0])
    model = MODELS.build(cfg)
    inputs = torch.rand(2, 3, 32, 32)
    values = []
    for rows in (boxes, boxes[:0]):
        samples = dict(bboxes_labels=rows, img_metas=[dict(batch_input_shape=(32, 32))] * 2)
        values.append(model(inputs, samples, mode='loss')['loss_focal_global.stage1'])
    assert values[0] != values[1]
    found = relative_boxes(
        model.distill_losses[0], inputs.device, dict(samples, bboxes_labels=boxes)
    )
    assert found[1].tolist() == (boxes[:, 2:] / 32).tolist() and found[0].isinf().all()
    for name, labels in (('DecoupledKDLoss', 'gt_label'), ('FocalGlobalLoss', 'gt_instances')):
        cfg['distill_losses'] = [dict(type=name, pairs=[('fc', 'fc') if 'KD' in name else (1, 1)])]
        with pytest.raises(ValueError, match=f'the data samples must have `{labels}'):
            MODELS.build(cfg)(inputs, dict(img_metas=samples['img_metas']), mode='loss')
