"""Operators for which mmcv has no CPU kernel, beside their definition."""

import math

import pytest
import torch
from cases import draw, draw_rois
from torch.autograd import gradcheck
from torch.nn import functional

pytestmark = pytest.mark.smoke


def interpolate(plane, y, x):
    """mmcv's bilinear interpolation, written for one point."""
    height, width = plane.shape
    if y < -1 or y > height or x < -1 or x > width:
        return 0.0
    y, x = (min(max(v, 0.0), n - 1.0) for v, n in ((y, height), (x, width)))
    low_y, low_x = int(y), int(x)
    high_y, high_x = min(low_y + 1, height - 1), min(low_x + 1, width - 1)
    dy, dx = y - low_y, x - low_x
    upper = plane[low_y, low_x] * (1 - dx) + plane[low_y, high_x] * dx
    lower = plane[high_y, low_x] * (1 - dx) + plane[high_y, high_x] * dx
    return float(upper * (1 - dy) + lower * dy)


def test_roi_pool(ours):
    from mmcv.ops import roi_pool

    maps, rois = draw(2, 2, 9, 11, seed=3) - 0.5, draw_rois(9, 2)
    rois[4, 3:] = rois[4, 1:3] - 3  # turned around: nothing is pooled
    found = roi_pool(maps, rois, (3, 2), 0.25)
    for r, roi in enumerate(rois.tolist()):
        x0, y0, x1, y1 = roi[1] / 4, roi[2] / 4, (roi[3] + 1) / 4, (roi[4] + 1) / 4
        for i in range(3):
            for j in range(2):
                top, bottom = (y0 + (y1 - y0) / 3 * n for n in (i, i + 1))
                left, right = (x0 + (x1 - x0) / 2 * n for n in (j, j + 1))
                rows = range(max(math.floor(top), 0), min(math.ceil(bottom), 9))
                columns = range(max(math.floor(left), 0), min(math.ceil(right), 11))
                for c in range(2):
                    values = [maps[int(roi[0]), c, y, x] for y in rows for x in columns]
                    if x1 <= x0 or y1 <= y0 or not values:
                        values = [torch.zeros(())]
                    assert found[r, c, i, j] == max(values)
    assert not found[4].any()


def test_roi_pool_gradient(ours):
    from mmcv.ops import roi_pool

    maps = draw(2, 2, 9, 11, seed=3).double().requires_grad_()
    assert gradcheck(lambda x: roi_pool(x, draw_rois(5, 2).double(), (3, 2), 0.25), maps)


@pytest.mark.parametrize('ratio', [0, 2])
def test_deform_roi_pool(ours, ratio):
    from mmcv.ops import deform_roi_pool

    maps, rois = draw(2, 2, 9, 11, seed=3), draw_rois(4, 2)
    offset = draw(4, 2, 3, 2, seed=5) - 0.5
    found = deform_roi_pool(maps, rois, offset, (3, 2), 0.25, ratio, 0.1)
    plain = deform_roi_pool(maps, rois, None, (3, 2), 0.25, ratio, 0.1)
    assert not torch.equal(found, plain)
    for r, roi in enumerate(rois.tolist()):
        x0, y0, x1, y1 = (v * 0.25 - 0.5 for v in roi[1:])
        step_y, step_x = (y1 - y0) / 3, (x1 - x0) / 2
        down = ratio or math.ceil(step_y)
        across = ratio or math.ceil(step_x)
        for i in range(3):
            for j in range(2):
                for c in range(2):
                    total = 0.0
                    for sy in range(down):
                        for sx in range(across):
                            y = y0 + i * step_y + (sy + 0.5) * step_y / down
                            x = x0 + j * step_x + (sx + 0.5) * step_x / across
                            y += 0.1 * (y1 - y0) * float(offset[r, 1, i, j])
                            x += 0.1 * (x1 - x0) * float(offset[r, 0, i, j])
                            total += interpolate(maps[int(roi[0]), c], y, x)
                    expected = total / (down * across)
                    assert found[r, c, i, j].item() == pytest.approx(expected, abs=1e-5)


def test_deform_roi_pool_gradient(ours):
    from mmcv.ops import deform_roi_pool

    maps = draw(1, 2, 9, 11, seed=3).double().requires_grad_()
    offset = (draw(3, 2, 2, 2, seed=5) - 0.5).double().requires_grad_()
    rois = torch.tensor([[0, 5.0, 4, 20, 18], [0, 10, 6, 31, 29], [0, 3, 3, 15, 30]]).double()
    assert gradcheck(
        lambda x, o: deform_roi_pool(x, rois, o, (2, 2), 0.25, 2, 0.1), (maps, offset), eps=1e-7
    )


def test_roi_align_max_gradient(ours):
    from mmcv.ops import roi_align

    maps = draw(2, 2, 9, 11, seed=3).double().requires_grad_()
    rois = draw_rois(5, 2).double()
    for ratio in (0, 2):
        assert gradcheck(lambda x, r=ratio: roi_align(x, rois, (3, 2), 0.25, r, 'max', True), maps)


def test_groups_of_boxes_change_nothing(ours, monkeypatch):
    """Boxes are sampled in parts that fit into memory."""
    from mmcv.ops import roi_align, roi_pool

    from inrn_mm.ops import roi_pool as pool_module
    from inrn_mm.ops import sampling

    maps, rois = draw(2, 3, 9, 11, seed=3), draw_rois(30, 2)
    whole = roi_align(maps, rois, 2, 0.25, 0, 'max', True), roi_pool(maps, rois, 2, 0.25)
    monkeypatch.setattr(sampling, 'VALUES', 50)
    monkeypatch.setattr(pool_module, 'VALUES', 50)
    parts = roi_align(maps, rois, 2, 0.25, 0, 'max', True), roi_pool(maps, rois, 2, 0.25)
    assert torch.equal(whole[0], parts[0]) and torch.equal(whole[1], parts[1])


@pytest.mark.parametrize('weight', [None, [0.5, 1.0, 2.0]])
def test_sigmoid_focal_loss(ours, weight):
    from mmcv.ops import sigmoid_focal_loss
    from torchvision.ops import sigmoid_focal_loss as reference

    logits = (8 * draw(6, 3, seed=3) - 4).double().requires_grad_()
    target = torch.tensor([0, 1, 2, 3, 0, 1])  # 3 is background
    weights = None if weight is None else torch.tensor(weight).double()
    found = sigmoid_focal_loss(logits, target, 2.0, 0.25, weights, 'none')
    expected = reference(logits, functional.one_hot(target, 4)[:, :3].double(), 0.25, 2.0)
    if weight is not None:
        expected = expected * torch.tensor([*weight, 1.0]).double()[target][:, None]
    torch.testing.assert_close(found, expected)
    for reduction in ('mean', 'sum'):
        assert gradcheck(
            lambda x, r=reduction: sigmoid_focal_loss(x, target, 1.5, 0.25, weights, r), logits
        )


def test_sigmoid_focal_loss_of_sure_logits(ours):
    from mmcv.ops import sigmoid_focal_loss

    logits = torch.tensor([[200.0], [-200.0]], requires_grad=True)
    loss = sigmoid_focal_loss(logits, torch.tensor([1, 0]), 2.0, 0.25, None, 'sum')
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()


def test_softmax_focal_loss(ours):
    from mmcv.ops import softmax_focal_loss

    logits = (4 * draw(5, 3, seed=3)).double().requires_grad_()
    target = torch.tensor([0, 1, 2, 1, 0])
    weights = torch.tensor([0.5, 1.0, 2.0]).double()
    p = logits.softmax(1)[range(5), target]
    expected = -0.25 * (1 - p) ** 2 * p.log() * weights[target]
    found = softmax_focal_loss(logits, target, 2.0, 0.25, weights, 'none')
    torch.testing.assert_close(found, expected)
    grads = [
        torch.autograd.grad(loss.sum(), logits, retain_graph=True)[0]
        for loss in (expected, softmax_focal_loss(logits, target, 2.0, 0.25, weights, 'sum'))
    ]
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize('naive', [False, True])
def test_carafe(ours, naive):
    from mmcv.ops import carafe, carafe_naive

    features, masks = draw(2, 4, 3, 5, seed=3), draw(2, 18, 6, 10, seed=4)
    found = (carafe_naive if naive else carafe)(features, masks, 3, 2, 2)
    for c in range(4):
        for y in range(6):
            for x in range(10):
                expected = torch.zeros(2)
                for i in range(3):
                    for j in range(3):
                        row, column = y // 2 + i - 1, x // 2 + j - 1
                        if 0 <= row < 3 and 0 <= column < 5:
                            weight = masks[:, (c // 2) * 9 + i * 3 + j, y, x]
                            expected += weight * features[:, c, row, column]
                torch.testing.assert_close(found[:, c, y, x], expected)


def test_carafe_gradient(ours):
    from mmcv.ops import carafe

    features = draw(2, 4, 3, 5, seed=3).double().requires_grad_()
    masks = draw(2, 18, 6, 10, seed=4).double().requires_grad_()
    assert gradcheck(lambda f, m: carafe(f, m, 3, 2, 2), (features, masks))


def test_masked_conv(ours):
    from mmcv.ops import MaskedConv2d

    conv = MaskedConv2d(3, 4, (3, 5), padding=(1, 2)).eval()
    x, mask = draw(1, 3, 8, 9), draw(1, 8, 9, seed=2) > 0.6
    torch.testing.assert_close(conv(x, mask), conv(x) * mask)
    assert not conv(x, torch.zeros_like(mask)).any()


@pytest.mark.parametrize('top_k', [3, 50])
def test_line_nms(ours, top_k):
    """CLRNet's lines, beside the definition in plain Python."""
    import mmcv.ops

    if not hasattr(mmcv.ops, 'line_nms'):
        pytest.skip('this mmcv has no line_nms')
    count, rows = 30, 12
    lines = draw(count, 5 + rows, seed=3) * 20
    lines[:, 2] = draw(count, seed=4) * 0.6
    lines[:, 4] = (draw(count, seed=5) * rows).round()  # some have no rows at all
    scores = draw(count, seed=6)

    def are_close(a, b):
        starts = [int(line[2] * (rows - 1) + 0.5) for line in (a, b)]
        ends = [start + int(line[4]) - 1 for start, line in zip(starts, (a, b))]
        places = range(max(starts), min(*ends, rows - 1) + 1)
        gap = sum(abs(a[5 + i] - b[5 + i]) for i in places)
        return len(places) > 0 and gap < 5 * len(places)

    kept, parents = [], [0] * count
    order = scores.argsort(descending=True).tolist()
    for i in order:
        if parents[i] or len(kept) == top_k:
            continue
        kept.append(i)
        for j in order[order.index(i) + 1 :]:
            if are_close(lines[i], lines[j]):
                parents[j] = len(kept)
        parents[i] = len(kept)
    assert top_k == 3 or 3 < len(kept) < count
    found, number, found_parents = mmcv.ops.line_nms(lines, scores, 5.0, top_k)
    assert number == len(kept)
    assert found.tolist() == kept + [0] * (count - len(kept))
    assert found_parents.tolist() == parents
    assert mmcv.ops.line_nms(lines[:0], scores[:0], 5.0, top_k)[1] == 0


def test_sync_bn(ours):
    """One process: what torch's batch normalisation does."""
    from mmcv.ops.sync_bn import SyncBatchNormFunction

    x, weight, bias = draw(2, 3, 4, 5, seed=3), draw(3, seed=4), draw(3, seed=5)
    grad = draw(2, 3, 4, 5, seed=6)
    results = []
    for mmcv in (True, False):
        moved = torch.zeros(3), torch.ones(3)
        inputs = [t.clone().requires_grad_() for t in (x, weight, bias)]
        if mmcv:
            output = SyncBatchNormFunction.apply(
                inputs[0], *moved, *inputs[1:], 0.1, 1e-5, None, 1, 'default'
            )
        else:
            output = functional.batch_norm(inputs[0], *moved, *inputs[1:], True, 0.1, 1e-5)
        grads = torch.autograd.grad(output, inputs, grad)
        results.append((output, *moved, *grads))
    for found, expected in zip(*results):
        torch.testing.assert_close(found, expected)


def test_deformable_attention(ours):
    from mmcv.ops.multi_scale_deform_attn import (
        MultiScaleDeformableAttnFunction,
        multi_scale_deformable_attn_pytorch,
    )

    shapes = torch.tensor([[4, 5], [2, 3]])
    value = draw(2, 26, 2, 4).double().requires_grad_()
    places = draw(2, 3, 2, 2, 2, 2, seed=5).double().requires_grad_()
    weights = draw(2, 3, 2, 2, 2, seed=6).double().requires_grad_()
    starts = torch.tensor([0, 20])
    found = MultiScaleDeformableAttnFunction.apply(value, shapes, starts, places, weights, 64)
    expected = multi_scale_deformable_attn_pytorch(value, shapes, places, weights)
    torch.testing.assert_close(found, expected)
    grad = draw(*found.shape, seed=7).double()
    inputs = (value, places, weights)
    for a, b in zip(*(torch.autograd.grad(t, inputs, grad) for t in (found, expected))):
        torch.testing.assert_close(a, b)


def test_deform_conv_gradient(ours):
    from mmcv.ops import deform_conv2d

    x = draw(2, 2, 5, 6).double().requires_grad_()
    offset = (draw(2, 18, 5, 6, seed=3) - 0.5).double().requires_grad_()
    weight = draw(2, 2, 3, 3, seed=4).double().requires_grad_()
    assert gradcheck(lambda *a: deform_conv2d(*a, 1, 1), (x, offset, weight))
    # the weight's gradient alone, and twice from one graph
    output = deform_conv2d(x.detach(), offset.detach(), weight, 1, 1).sum()
    first = torch.autograd.grad(output, weight, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(output, weight)[0])
    whole = deform_conv2d(x, offset, weight, 1, 1).sum()
    torch.testing.assert_close(torch.autograd.grad(whole, weight)[0], first)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision(ours, dtype):
    """All run, near the result of float32, in the type that they were given."""
    from mmcv.ops import (
        carafe,
        deform_conv2d,
        modulated_deform_conv2d,
        nms,
        roi_align,
        roi_pool,
        sigmoid_focal_loss,
    )

    maps, rois = draw(2, 4, 9, 11, seed=3), draw_rois(5, 2)
    offset, mask = draw(2, 18, 9, 11, seed=4) - 0.5, draw(2, 9, 9, 11, seed=5)
    weight, bias = draw(3, 4, 3, 3, seed=6) - 0.5, draw(3)
    target = torch.tensor([0, 1, 2, 3, 1])
    calls = [
        lambda x, w: roi_align(x, rois, 3, 0.25, 0, 'avg', True),
        lambda x, w: roi_align(x, rois, 3, 0.25, 2, 'max', True),
        lambda x, w: roi_pool(x, rois, 3, 0.25),
        lambda x, w: deform_conv2d(x, offset.to(x.dtype), w, 1, 1),
        lambda x, w: modulated_deform_conv2d(x, offset.to(x.dtype), mask, w, bias, 1, 1),
        lambda x, w: carafe(x, draw(2, 9, 18, 22).to(x.dtype), 3, 1, 2),
        lambda x, w: sigmoid_focal_loss(x[0, 0, :5, :3], target, 2.0, 0.25, None, 'none'),
    ]
    for call in calls:
        results = []
        for kind in (torch.float32, dtype):
            x, w = (t.clone().to(kind).requires_grad_() for t in (maps, weight))
            output = call(x, w)
            assert output.dtype == kind
            output.float().square().sum().backward()
            results.append((output.float(), x.grad.float()))
        for found, expected in zip(results[1], results[0]):
            error = (found - expected).abs().max() / expected.abs().max()
            # mmcv keeps where maxima were in the maps' own type
            assert error < (0.01 if dtype == torch.float16 else 0.1)
    boxes = rois[:, 1:].to(dtype)
    assert len(nms(boxes, draw(5).to(dtype), 0.5)[1])


def test_roi_align_under_autocast(ours):
    """What keeps compiled operators from two-stage training in bfloat16."""
    from mmcv.ops import RoIAlign

    conv, align = torch.nn.Conv2d(3, 4, 3), RoIAlign(3, 0.25)
    with torch.autocast('cpu', torch.bfloat16):
        maps = conv(draw(2, 3, 12, 14))
        assert maps.dtype == torch.bfloat16
        output = align(maps, draw_rois(6, 2))
    output.float().sum().backward()
    assert conv.weight.grad.abs().sum() > 0


def test_others_are_refused_by_name(ours):
    from mmcv.ops import nms_rotated

    with pytest.raises(NotImplementedError, match="'nms_rotated'.*compiled"):
        nms_rotated(torch.rand(3, 5), torch.rand(3), 0.5)
    assert not hasattr(ours, '__path__')
