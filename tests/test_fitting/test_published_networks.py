"""NeRV and HNeRV beside their authors' code, with the same weights."""

import importlib.util
import math
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from published_code import clone
from torch import nn

import inrn_mm
from inrn_mm.fitting import HNeRV, NeRV, SignalFitter


def load(monkeypatch, repo, file, **stubs):
    """Load a file of a clone; what it imports for its data is replaced."""
    path = clone(repo) / file
    for name, attributes in stubs.items():
        module = ModuleType(name.replace('__', '.'))
        module.__path__ = []
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    spec = importlib.util.spec_from_file_location(f'theirs_{repo}', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parameters(*modules):
    return [value for module in modules for value in module.parameters()]


def copy(ours, theirs):
    """Give their parameters our values; a linear layer may be a convolution."""
    assert len(ours) == len(theirs)
    with torch.no_grad():
        for mine, other in zip(ours, theirs):
            other.copy_(mine.reshape(other.shape))


@pytest.fixture
def hnerv(monkeypatch):
    none = dict(
        timm={},
        timm__models={},
        timm__models__layers=dict(trunc_normal_=nn.init.trunc_normal_, DropPath=None),
        pytorchvideo={},
        pytorchvideo__data={},
        pytorchvideo__data__encoded_video=dict(EncodedVideo=None),
        decord=dict(bridge=SimpleNamespace(set_bridge=lambda name: None)),
    )
    return load(monkeypatch, 'HNeRV', 'model_all.py', **none)


@pytest.mark.parametrize('strides', [(5, 4, 4, 2, 2), (3, 2, 2, 2, 2)])
def test_published_hnerv(hnerv, strides):
    side = math.prod(strides)
    ours = HNeRV((3, side, 2 * side, 3), width=20, strides=strides, grid=(1, 2))
    theirs = hnerv.HNeRV(
        SimpleNamespace(
            embed='',
            ks='0_1_5',
            num_blks='1_1',
            enc_strds=strides,
            dec_strds=strides,
            enc_dim='64_16',
            conv_type=['convnext', 'pshuffel'],
            reduce=1.2,
            lower_width=12,
            fc_dim=20,
            norm='none',
            act='gelu',
            out_bias='tanh',
        )
    )
    # a block's scale is its last parameter here and its first there
    encoder = []
    for down, block in zip(theirs.encoder.downsample_layers, theirs.encoder.stages):
        scale, *others = parameters(block)
        encoder += [*parameters(down), *others, scale]
    mine = []
    for i, layer in enumerate(ours.encoder):
        scale = [layer.scale] if i % 3 == 2 else []
        mine += parameters(layer.layers) + scale if scale else parameters(layer)
    for value in mine:
        nn.init.normal_(value, std=0.1)
    copy(mine, encoder)
    copy(parameters(ours.decoder), parameters(theirs.decoder, theirs.head_layer))
    frames = torch.rand(2, 3, side, 2 * side)
    expected, embeddings, _ = theirs(frames)
    torch.testing.assert_close(ours.encoder(frames), embeddings[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        ours(torch.tensor([0.0, 1.0]), frames), expected, rtol=1e-4, atol=1e-5
    )


def test_published_hnerv_is_set_up_alike(hnerv):
    strides = (3, 2, 2, 2, 2)
    theirs = hnerv.ConvNeXt(stage_blocks=1, strds=strides, dims=[64] * 4 + [16])
    ours = HNeRV((3, 48, 96, 3), strides=strides).encoder
    assert sum(p.numel() for p in ours.parameters()) == sum(p.numel() for p in theirs.parameters())
    kernels = [p for p in ours.parameters() if p.dim() > 1 and p.shape[-1] > 1]
    others = [p for p in theirs.parameters() if p.dim() == 4]
    for mine, other in zip(sorted(kernels, key=torch.numel), sorted(others, key=torch.numel)):
        assert mine.std().item() == pytest.approx(other.std().item(), rel=0.15)


def test_published_nerv(monkeypatch):
    network = load(monkeypatch, 'NeRV', 'model_nerv.py')
    monkeypatch.syspath_prepend(str(clone('NeRV')))
    encode = load(monkeypatch, 'NeRV', 'utils.py').PositionalEncoding('1.25_40')
    strides, grid = (5, 2, 2, 2, 2), (1, 2)
    ours = NeRV((7, 80, 160, 3), arch=6, min_width=8, stem_width=16, grid=grid, strides=strides)
    theirs = network.Generator(
        embed_length=encode.embed_length,
        stem_dim_num='16_1',
        fc_hw_dim='1_2_6',
        expansion=1,
        num_blocks=1,
        norm='none',
        act='swish',
        bias=True,
        reduction=2,
        conv_type='conv',
        stride_list=list(strides),
        sin_res=True,
        lower_width=8,
        sigmoid=False,
    )
    copy(parameters(ours.stem, ours.blocks, ours.head), parameters(theirs))
    with torch.no_grad():  # sines and cosines alternate there
        weight = theirs.stem[0].weight
        weight.copy_(ours.stem[0].weight.unflatten(1, (2, 40)).transpose(1, 2).flatten(1))
    times = ours.times(torch.arange(7))
    assert times.tolist() == pytest.approx([i / 7 for i in range(7)])
    (expected,) = theirs(encode(times))
    torch.testing.assert_close(ours(times), expected, rtol=1e-4, atol=1e-4)


def test_recipe_of_nerv():
    config = Config.fromfile(f'{inrn_mm.__path__[0]}/../configs/fitting/nerv_video.py')
    assert config.optim_wrapper.optimizer.betas == (0.5, 0.999)
    assert [s.end for s in config.param_scheduler] == [200, 1000]


def test_encoder_of_hnerv_has_the_published_size():
    with torch.device('meta'):
        encoder = HNeRV((4, 96, 160, 3), strides=(3, 2, 2, 2, 2)).encoder
    stages = [3 * 64 * 9 + 64 + 128] + [128 + 64 * 64 * 4 + 64] * 3 + [128 + 64 * 16 * 4 + 16]
    blocks = [64 * 50 + 128 + 64 * 256 + 256 + 256 * 64 + 64 + 64] * 4
    blocks.append(16 * 50 + 32 + 16 * 64 + 64 + 64 * 16 + 16 + 16)
    assert sum(p.numel() for p in encoder.parameters()) == sum(stages) + sum(blocks)


def test_frames_have_the_times_of_the_network():
    from inrn_mm.fitting import Signal

    signal = Signal(torch.zeros(5, 16, 16, 3, dtype=torch.uint8))
    for kind, last in (('NeRV', 0.8), ('SIREN', 1.0)):
        net = dict(type=kind) if kind == 'SIREN' else dict(type=kind, arch=4, min_width=4)
        fitter = SignalFitter(net, signal)
        assert fitter.net.times(torch.tensor([4])).item() == pytest.approx(last)
