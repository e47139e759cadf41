"""Networks and a file for the tests of the codec."""

import pytest
import torch
from mmengine.registry import MODELS

import inrn_mm  # noqa: F401
from inrn_mm.fitting.codec import read_fit, write_fit
from inrn_mm.fitting.signal import Signal

IMAGE = (1, 24, 32, 3)
VIDEO = (4, 40, 64, 3)
NETS = dict(
    siren=dict(type='SIREN', shape=IMAGE, width=48, num_layers=2),
    fourier=dict(type='FourierMLP', shape=IMAGE, width=32, num_features=16),
    nerv=dict(type='NeRV', shape=VIDEO, arch=8, min_width=8, stem_width=32),
    hnerv=dict(type='HNeRV', shape=VIDEO, width=16, encoder_width=8),
)


def build(name):
    cfg = NETS[name]
    net = MODELS.build(cfg)
    if name == 'hnerv':
        net.embeddings.normal_()
    return net.eval(), cfg, Signal(None, cfg['shape'], 255, 25.0)


def output(net):
    with torch.no_grad():
        if net.kind == 'frame':
            return net(torch.linspace(0, 1, net.shape[0]))
        rows = torch.linspace(-1, 1, net.shape[1])
        columns = torch.linspace(-1, 1, net.shape[2])
        y, x = torch.meshgrid(rows, columns, indexing='ij')
        return net(torch.stack([x, y], -1)[None])


def decode(data):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'fit.inrn'
        path.write_bytes(data)
        return read_fit(path)


@pytest.fixture
def file(tmp_path):
    net, cfg, signal = build('siren')
    path = tmp_path / 'fit.inrn'
    write_fit(path, net, cfg, signal)
    return path
