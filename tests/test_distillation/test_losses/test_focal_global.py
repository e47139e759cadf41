"""FGD: weights from boxes, attention, context."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from loss_checks import assert_near, f64, features, make, softmax
from mmengine.structures import BaseDataElement, InstanceData

from inrn_mm.distillation.losses.focal_global import focus


def samples(boxes, shape=(64, 64), **meta):
    return [
        BaseDataElement(
            metainfo=dict(img_shape=shape, **meta),
            gt_instances=InstanceData(bboxes=torch.tensor(box, dtype=torch.float).reshape(-1, 4)),
        )
        for box in boxes
    ]


def masks(boxes, size, image):
    """Weights of one image, place by place."""
    fore = np.zeros(size)
    for x1, y1, x2, y2 in boxes:
        x1, x2 = (x / image[1] * size[1] for x in (x1, x2))
        y1, y2 = (y / image[0] * size[0] for y in (y1, y2))
        x1, y1, x2, y2 = *map(math.floor, (x1, y1)), *map(math.ceil, (x2, y2))
        for i, j in np.ndindex(size):
            if y1 <= i <= y2 and x1 <= j <= x2:
                fore[i, j] = max(fore[i, j], 1 / ((y2 + 1 - y1) * (x2 + 1 - x1)))
    back = np.where(fore > 0, 0.0, 1.0)
    return fore, back / max(back.sum(), 1)


def context(x, block):
    """The global context block, image by image."""
    attention, transform = block.attention, block.transform
    first, layer_norm, _, last = transform
    out = []
    for image in x:
        flat = image.reshape(len(image), -1)
        share = softmax(f64(attention.weight)[0, :, 0, 0] @ flat + f64(attention.bias))
        h = f64(first.weight)[..., 0, 0] @ (flat @ share) + f64(first.bias)
        h = (h - h.mean()) / np.sqrt(h.var() + 1e-5)
        h = h * f64(layer_norm.weight).ravel() + f64(layer_norm.bias).ravel()
        h = f64(last.weight)[..., 0, 0] @ np.maximum(h, 0) + f64(last.bias)
        out.append(image + h[:, None, None])
    return np.array(out)


def focal_global(s, t, boxes, image, loss):
    n, c, h, w = s.shape
    total = 0
    r_s = context(s, loss.student_context[0])
    r_t = context(t, loss.teacher_context[0])
    for i in range(n):
        places, channels = (
            [h * w * softmax(np.abs(x[i]).mean(0).ravel() / 0.5).reshape(h, w) for x in (s, t)],
            [c * softmax(np.abs(x[i]).mean((1, 2)) / 0.5) for x in (s, t)],
        )
        fore, back = masks(boxes[i], (h, w), image)
        for k, y, x in np.ndindex(c, h, w):
            total += (
                (loss.alpha * fore[y, x] + loss.beta * back[y, x])
                * places[1][y, x]
                * channels[1][k]
                * (s[i, k, y, x] - t[i, k, y, x]) ** 2
            )
        total += loss.gamma * (
            np.abs(places[0] - places[1]).sum() + np.abs(channels[0] - channels[1]).sum()
        )
        total += loss.lambda_ * ((r_s[i] - r_t[i]) ** 2).sum()
    return total / n


BOXES = [[[3, 5, 20, 30], [0, 0, 64, 64], [16, 16, 24, 28]], [[50, 40, 64, 64]], []]


@pytest.mark.parametrize(
    'terms',
    [
        dict(alpha=1, beta=0, gamma=0, lambda_=0),
        dict(alpha=0, beta=1, gamma=0, lambda_=0),
        dict(alpha=0, beta=0, gamma=1, lambda_=0),
        dict(alpha=0, beta=0, gamma=0, lambda_=1),
        {},
    ],
)
def test_closed_form(terms):
    s, t = features((3, 4, 8, 16), (3, 4, 8, 16))
    loss = make('FocalGlobalLoss', [s.shape], **terms)
    for p in loss.parameters():  # the context blocks start as the identity
        torch.nn.init.normal_(p)
    (out,) = loss([s], [t], samples(BOXES))
    assert_near(out, focal_global(f64(s), f64(t), BOXES, (64, 64), loss))


def test_context_starts_as_the_identity():
    s, t = features((2, 4, 3, 3), (2, 4, 3, 3))
    loss = make('FocalGlobalLoss', [s.shape], alpha=0, beta=0, gamma=0, lambda_=1)
    (out,) = loss([s], [t], samples([[], []]))
    assert_near(out, ((f64(s) - f64(t)) ** 2).sum() / 2)


def test_boxes_are_placed_on_the_padded_map():
    """A 32-pixel image padded to 64 covers the upper left of the map."""
    box = [[[0, 0, 30, 30]]]
    s, t = features((1, 4, 8, 8), (1, 4, 8, 8))
    loss = make('FocalGlobalLoss', [s.shape])
    padded = samples(box, (32, 32), batch_input_shape=(64, 64))
    (out,) = loss([s], [t], padded)
    assert_near(out, focal_global(f64(s), f64(t), box, (64, 64), loss))


def test_no_boxes_are_all_background():
    fore, back = focus(torch.zeros(2, 0, 4), (4, 5))
    assert fore.sum() == 0
    torch.testing.assert_close(back, torch.full((2, 4, 5), 1 / 20))


def test_boxes_over_everything_leave_no_background():
    boxes = torch.tensor([[[0.0, 0.0, 1.0, 1.0]]])
    fore, back = focus(boxes, (4, 5))
    assert back.sum() == 0
    torch.testing.assert_close(fore, torch.full((1, 4, 5), 1 / 30))


def test_many_boxes_are_drawn_like_one_by_one():
    generator = torch.Generator().manual_seed(0)
    xy = torch.randint(0, 48, (40, 2), generator=generator).float()
    boxes = torch.cat([xy, xy + 16], 1)
    fore, back = focus((boxes / 64)[None], (16, 8))
    expected = masks(boxes.tolist(), (16, 8), (64, 64))
    np.testing.assert_allclose(fore[0], expected[0], rtol=1e-5)
    np.testing.assert_allclose(back[0], expected[1], rtol=1e-5)


def test_box_types_of_mmdet():
    from mmdet.structures.bbox import HorizontalBoxes

    s, t = features((1, 4, 8, 8), (1, 4, 8, 8))
    loss = make('FocalGlobalLoss', [s.shape])
    plain = samples(BOXES[:1])
    (expected,) = loss([s], [t], plain)
    boxes = plain[0].gt_instances.bboxes
    plain[0].gt_instances = SimpleNamespace(bboxes=HorizontalBoxes(boxes))
    torch.testing.assert_close(loss([s], [t], plain)[0], expected)


class Tilted:
    """As mmrotate's boxes; the five numbers are not what is read."""

    def __init__(self, upright):
        self.tensor = torch.rand(len(upright), 5)
        self.upright = torch.tensor(upright, dtype=torch.float)

    def convert_to(self, kind):
        assert kind == 'hbox'
        return SimpleNamespace(tensor=self.upright)


def test_tilted_boxes_count_as_the_upright_ones_around_them():
    upright = [[3, 5, 20, 30], [0, 0, 64, 64], [16, 16, 24, 28], [1, 1, 9, 9]]
    s, t = features((1, 4, 8, 8), (1, 4, 8, 8))
    loss = make('FocalGlobalLoss', [s.shape])
    tilted = [
        BaseDataElement(
            metainfo=dict(img_shape=(64, 64)), gt_instances=SimpleNamespace(bboxes=Tilted(upright))
        )
    ]
    assert torch.equal(loss([s], [t], tilted)[0], loss([s], [t], samples([upright]))[0])
    tilted[0].gt_instances.bboxes = torch.rand(4, 5)  # would be five boxes
    with pytest.raises(ValueError, match=r'x1, y1, x2, y2, got a tensor \(4, 5\)'):
        loss([s], [t], tilted)


def test_single_channel():
    s, t = features((1, 1, 8, 8), (1, 1, 8, 8))
    (out,) = make('FocalGlobalLoss', [s.shape])([s], [t], samples(BOXES[:1]))
    assert torch.isfinite(out)


@pytest.mark.parametrize('data_samples', [None, [BaseDataElement()]])
def test_missing_boxes(data_samples):
    (s,) = features((1, 4, 8, 8))
    with pytest.raises(ValueError, match='needs ground-truth boxes'):
        make('FocalGlobalLoss', [s.shape])([s], [s], data_samples)


def test_vectors_are_refused():
    with pytest.raises(ValueError, match='FocalGlobalLoss compares maps'):
        make('FocalGlobalLoss', [(2, 3)])
