"""The ResNets of CRD's benchmark."""

import pytest
import torch
from torch import nn

pytest.importorskip('mmpretrain')
from inrn_mm.classification import CIFARResNet
from inrn_mm.distillation.recorder import Recorder
from inrn_mm.distillation.taps import Tap


@pytest.mark.parametrize(
    'arch, count',
    [
        ('8', 83892),
        (20, 278324),
        ('32', 472756),
        ('56', 861620),
        ('110', 1736564),
        ('8x4', 1233540),
        ('32x4', 7433860),
    ],
)
def test_parameters_are_those_of_the_crd_repository(arch, count):
    net = CIFARResNet(arch)
    head = nn.Linear(net.feat_dim, 100)
    assert sum(p.numel() for m in (net, head) for p in m.parameters()) == count


@pytest.mark.parametrize('arch, widths', [('8', (16, 32, 64)), ('8x4', (64, 128, 256))])
def test_stages(arch, widths):
    net = CIFARResNet(arch, out_indices=(0, 1, 2))
    outs = net(torch.rand(2, 3, 32, 32))
    assert [tuple(x.shape) for x in outs] == [
        (2, width, size, size) for width, size in zip(widths, (32, 16, 8))
    ]
    (last,) = CIFARResNet(arch)(torch.rand(2, 3, 32, 32))
    assert last.shape == (2, widths[2], 8, 8)


def test_tap_before_the_last_activation():
    net = nn.Module()
    net.backbone = CIFARResNet('8', out_indices=(0, 1, 2))
    net.forward = net.backbone.forward
    taps = [Tap.parse(f'backbone.layer{i}.0.relu:input@-1', net) for i in (1, 2, 3)]
    with Recorder(net, taps, clone=taps) as recorder:
        outs = net.forward(torch.rand(2, 3, 32, 32))
    for tap, out in zip(taps, outs):
        (before,) = recorder.features[tap]
        assert (before < 0).any()
        assert torch.equal(before.relu(), out)


def test_residual_branches_start_at_one():
    """As in CRD's code, against mmpretrain's default."""
    net = CIFARResNet('8')
    net.init_weights()
    assert (net.layer1[0].norm2.weight == 1).all()


def test_unknown_arch():
    with pytest.raises(ValueError, match="'18'.*'8', '20'"):
        CIFARResNet(18)
