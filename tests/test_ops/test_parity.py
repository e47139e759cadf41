"""Our operators give what mmcv's compiled ones give."""

import sys

import numpy as np
import pytest
import torch
from cases import draw_boxes, draw_rois, draw_scores, list_cases
from record import RECORD

CASES = dict(list_cases())
pytestmark = pytest.mark.smoke


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key].shape == value.shape, key
        torch.testing.assert_close(
            found[key].double(),
            value.double(),
            rtol=1e-5,
            atol=1e-5,
            msg=lambda m, k=key: f'{k}: {m}',
        )


@pytest.fixture(scope='module')
def record():
    with np.load(RECORD) as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.mark.parametrize('name', CASES)
def test_as_recorded(name, ours, record):
    expected = {key.split('/')[1]: v for key, v in record.items() if key.split('/')[0] == name}
    assert expected
    assert_same(CASES[name](ours), expected)


def test_as_compiled(ours, compiled):
    for call in CASES.values():
        assert_same(call(ours), call(compiled))


def test_roi_align_bit_for_bit(ours, compiled):
    """The operator that every two-stage detector runs, at its usual size."""
    maps = torch.rand(2, 256, 50, 68)
    rois = draw_rois(512, 2)
    rois[:, 1:] *= 20
    found = []
    for ext in (ours, compiled):
        output, none = maps.new_zeros(512, 256, 7, 7), maps.new_zeros(0)
        options = dict(aligned_height=7, aligned_width=7, spatial_scale=0.0625)
        options.update(sampling_ratio=0, pool_mode=1, aligned=True)
        ext.roi_align_forward(maps, rois, output, none, none, **options)
        grad = torch.zeros_like(maps)
        ext.roi_align_backward(output, rois, none, none, grad, **options)
        found.append((output, grad))
    assert torch.equal(found[0][0], found[1][0])
    assert torch.equal(found[0][1], found[1][1])


def test_batched_nms_of_many_boxes(ours, compiled, monkeypatch):
    """mmcv's batched NMS, split by class above ``split_thr``."""
    from mmcv.ops import batched_nms

    boxes, scores = draw_boxes(500, 200), draw_scores(500)
    classes = torch.arange(500) % 7
    found = []
    for ext in (ours, compiled):
        monkeypatch.setattr(sys.modules['mmcv.ops.nms'], 'ext_module', ext)
        for options in (dict(), dict(split_thr=100), dict(type='soft_nms', min_score=0.05)):
            cfg = dict(dict(type='nms', iou_threshold=0.5), **options)
            found.append(batched_nms(boxes, scores, classes, cfg))
    for (dets, kept), (their_dets, their_kept) in zip(found[:3], found[3:]):
        assert torch.equal(kept, their_kept)
        torch.testing.assert_close(dets, their_dets)
