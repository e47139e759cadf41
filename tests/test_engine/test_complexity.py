import torch
from mmengine.config import Config
from tiny_coco import tiny_config, tiny_faster_rcnn
from torch import nn

from inrn_mm.backbones import INRN
from inrn_mm.engine.complexity import Classifier, count, count_config, count_without_data
from inrn_mm.fitting import SingleStageINRN


def test_known_convolution():
    counts = count(nn.Conv2d(3, 8, 3, padding=1), torch.rand(1, 3, 10, 20))
    assert counts == dict(params=3 * 8 * 9 + 8, flops=3 * 8 * 9 * 200, activations=8 * 200)


def test_counts_without_data_are_the_same():
    net = SingleStageINRN((2, 16, 24, 3), arch='s', stem_width=8)
    expected = count(net, torch.zeros(1))
    found = count_without_data(net.to('meta'), torch.zeros(1, device='meta'))
    assert found == expected


def test_classifier_of_a_backbone():
    net = Classifier(INRN(dict(widths=[4, 8], depths=[1, 1])), 10)
    assert net(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_parts_of_a_detector(tmp_path, tiny_coco):
    model = tiny_faster_rcnn(dict(type='INRN', arch=dict(widths=[4] * 4, depths=[1] * 4)), [4] * 4)
    path = tmp_path / 'plain.py'
    Config(tiny_config(tiny_coco, model)).dump(path)
    parts = count_config(str(path), (64, 64))
    assert list(parts) == ['backbone', 'neck', 'rpn_head', 'roi_head', 'whole model']
    whole = parts.pop('whole model')
    for key in whole:
        assert all(part[key] > 0 for part in parts.values())
        assert sum(part[key] for part in parts.values()) == whole[key]

    # a distiller costs what its student does
    cfg = tiny_config(
        tiny_coco,
        dict(
            type='KnowledgeDistiller',
            student=model,
            teacher=model,
            distill_losses=[dict(type='StageMSELoss', pairs=[(0, 0)])],
        ),
    )
    path = tmp_path / 'distilled.py'
    Config(cfg).dump(path)
    distilled = count_config(str(path), (64, 64))
    assert distilled['backbone'] == parts['backbone']
    assert distilled['whole model']['params'] == whole['params']
