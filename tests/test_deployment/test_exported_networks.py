"""Exported networks say what mm's predict says, in torch."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from exported_nets import SHAPE, SIZE, canvas, small_net
from torch import nn

from inrn_mm.deployment import make_exported
from inrn_mm.deployment.candidates import Candidates
from inrn_mm.deployment.operators import pool_regions, suppress
from tools.deployment.comparing import match, reference, reference_masks

pytest.importorskip('mmdet')
DETECTORS = ['RetinaNet', 'FCOS', 'GFL', 'RTMDet-tiny', 'YOLOX-s']
DETECTORS += ['Faster R-CNN', 'INRN-M', 'Cascade R-CNN']


ANY_SIZE = ['Faster R-CNN']


@pytest.mark.parametrize(
    'name, any_size', [(name, False) for name in DETECTORS] + [(name, True) for name in ANY_SIZE]
)
def test_equal_to_predict(name, any_size):
    net = small_net(name)
    exported = make_exported(deepcopy(net), any_size).eval()
    with torch.no_grad():
        out = exported(torch.from_numpy(canvas())[None], torch.tensor(SHAPE))
    assert [len(x.shape) for x in out[:3]] == [3, 2, 2]
    found = [x[0][out[1][0] > 0].numpy() for x in out]
    expected = reference(net, canvas(), SHAPE, exported.task)
    assert len(expected[1]) > 10 and np.ptp(expected[1]) > 0.01
    difference = match('', expected[:3], found[:3])
    assert difference.excess() < 0.1, difference
    # what is no result says so
    assert (out[2][0][out[1][0] == 0] == -1).all()
    assert (out[0][0][:, [0, 2]] <= SHAPE[1]).all() or name.startswith('YOLOX')
    if exported.task == 'instances':
        masks = reference_masks(net, canvas(), SHAPE, found)
        np.testing.assert_allclose(found[3], masks, atol=1e-4)


def test_a_batch():
    net = small_net('RetinaNet')
    exported = make_exported(deepcopy(net)).eval()
    images = torch.from_numpy(np.stack([canvas(), 255 - canvas()]))
    with torch.no_grad():
        both = exported(images, torch.tensor(SHAPE))
        for i in range(2):
            alone = exported(images[i : i + 1], torch.tensor(SHAPE))
            torch.testing.assert_close(both[0][i], alone[0][0], rtol=0, atol=1e-3)
            assert torch.equal(both[2][i], alone[2][0])


def test_norms_are_folded():
    exported = make_exported(small_net('INRN-M'))
    assert not [m for m in exported.backbone.modules() if isinstance(m, nn.BatchNorm2d)]


def test_what_is_not_known_says_so():
    from exported_nets import CONFIGS
    from mmengine.registry import MODELS, DefaultScope

    from inrn_mm.distillation.configs import model_config
    from tools.studies.mmdet_trials import shrink

    cfg = model_config(CONFIGS['DETR'])
    shrink(cfg)
    with DefaultScope.overwrite_default_scope('mmdet'):
        net = MODELS.build(cfg)
    with pytest.raises(ValueError, match='DETRHead predicts in a way of its own'):
        make_exported(net)


def test_other_suppression_says_so():
    net = small_net('RetinaNet')
    net.bbox_head.test_cfg.nms = dict(type='soft_nms', iou_threshold=0.5)
    with pytest.raises(ValueError, match='knows the suppression nms, and not soft_nms'):
        make_exported(net)


def test_other_models_say_so():
    with pytest.raises(ValueError, match='Linear cannot be exported'):
        make_exported(nn.Linear(1, 1))


def test_suppress():
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 0, 10, 10], [20, 0, 30, 10], [0, 20, 9, 29]])
    scores = torch.tensor([0.5, 0.9, 0.3, 0.1])
    indices, counts = suppress(boxes, scores, 0.5, 0.2, 3)
    assert indices.tolist() == [1, 2, 0] and counts.tolist() == [True, True, False]
    # those of another label are left alone
    labels = torch.tensor([0, 1, 1, 1])
    best = Candidates(boxes, scores, labels).best(dict(iou_threshold=0.5), 0.2, 4)
    assert best[1].tolist() == pytest.approx([0.9, 0.5, 0.3, 0.0])
    assert best[2].tolist() == [1, 0, 1, -1]


def test_regions_come_from_the_level_of_their_size():
    levels = [torch.full((1, 2, 32 >> i, 32 >> i), float(i)) for i in range(3)]
    boxes = torch.tensor([[0.0, 0, 100, 100], [0, 0, 10, 10], [0, 0, 60, 60], [5, 5, 5, 5]])
    out = pool_regions(levels, boxes, [4, 8, 16], 3, 28.0, 0, True)
    assert out.shape == (4, 2, 3, 3)
    assert out[:3, 0, 1, 1].tolist() == [1.0, 0.0, 1.0]


def test_pixels_outside_of_the_image_are_filled():
    net = small_net('RetinaNet')
    exported = make_exported(net)
    images = torch.full((1, *SIZE, 3), 200, dtype=torch.uint8)
    x = exported.pixels(images, torch.tensor(SHAPE))
    mean = net.data_preprocessor.mean.flatten()
    expected = (200 - mean) / net.data_preprocessor.std.flatten()
    torch.testing.assert_close(x[0, :, 0, 0], expected)
    assert (x[0, :, SHAPE[0] :] == 0).all() and (x[0, :, :, SHAPE[1] :] == 0).all()
