"""The compact file of a fit."""

import json
import struct
import sys
import zlib

import numpy as np
import pytest
import torch
from compact_files import IMAGE, NETS, build, decode, output
from mmengine.registry import MODELS

import inrn_mm  # noqa: F401
from inrn_mm.fitting.codec import container, encode_fit, entropy, read_fit, write_fit
from inrn_mm.fitting.codec.compact import plain_config
from inrn_mm.fitting.codec.quantize import dequantize, num_steps, quantize
from inrn_mm.fitting.signal import Signal


@pytest.mark.parametrize('name', NETS)
@pytest.mark.smoke
def test_exact_with_32_bits(name, tmp_path):
    net, cfg, signal = build(name)
    size = write_fit(tmp_path / 'a.inrn', net, cfg, signal, bits=32)
    fit = read_fit(tmp_path / 'a.inrn')
    assert torch.equal(output(fit.net), output(net))
    assert fit.signal == signal and fit.net_cfg == plain_config(cfg)
    assert size == fit.size == (tmp_path / 'a.inrn').stat().st_size
    pixels = np.prod(cfg['shape'][:3])
    assert fit.bits_per_pixel == 8 * size / pixels
    assert size < 4 * net.num_parameters + 600  # the header


@pytest.mark.parametrize('name', NETS)
def test_error_falls_and_size_grows_with_the_bits(name):
    net, cfg, signal = build(name)
    sizes, errors = [], []
    for bits in (4, 6, 8, 16):
        data = encode_fit(net, cfg, signal, bits)
        fit = decode(data)
        sizes.append(len(data))
        errors.append((output(fit.net) - output(net)).square().mean().item())
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 1e-4


def test_file_is_near_the_entropy_of_its_codes():
    """Coder, steps and header together."""
    cfg = dict(type='SIREN', shape=IMAGE, width=128, num_layers=3)
    net = MODELS.build(cfg)
    for bits in (4, 8):
        data = encode_fit(net, cfg, Signal(None, IMAGE), bits)
        ideal = 0
        for value in net.state_dict().values():
            if value.numel() < 0.01 * net.num_parameters:
                ideal += 2 * value.numel()
                continue
            codes, peaks = quantize(value, bits)
            counts = torch.unique(codes, return_counts=True)[1].double()
            share = counts / counts.sum()
            ideal += -(counts * share.log2()).sum().item() / 8
            ideal += 2 * peaks.numel()
        assert ideal < len(data) < 1.02 * ideal + 400


def test_pruned_weights_cost_little():
    net, cfg, signal = build('siren')
    full = len(encode_fit(net, cfg, signal))
    with torch.no_grad():
        for value in net.parameters():
            value[torch.rand_like(value) < 0.8] = 0
    pruned = encode_fit(net, cfg, signal)
    # 20 % of the codes and a bit for each place is 0.2 + 0.72 / 8
    assert len(pruned) < 0.55 * full
    decoded = decode(pruned).net.state_dict()
    for key, value in net.state_dict().items():
        assert (decoded[key][value == 0] == 0).all(), key


def test_quantisation_error_is_half_a_step():
    value = torch.randn(5, 100) * torch.logspace(-2, 2, 5)[:, None]
    value[3] = 0
    codes, peaks = quantize(value, 8)
    assert codes.abs().max() == 127 and (codes[3] == 0).all()
    restored = dequantize(codes, peaks, 8)
    steps = value.abs().amax(1, keepdim=True) / 127
    # clipping a few weights may win over half a step for all
    assert ((restored - value).square().mean(1) <= (steps.squeeze() ** 2 / 12) * 1.2).all()


def test_channels_share_a_step_where_they_are_short():
    assert num_steps((32, 64), True) == 32
    assert num_steps((32, 63), True) == 1
    assert num_steps((32, 64), False) == 1
    value = torch.randn(4, 3, 2)
    codes, peaks = quantize(value, 8)
    assert peaks.shape == (1,) and codes.shape == value.shape
    torch.testing.assert_close(dequantize(codes, peaks, 8), value, atol=0.02, rtol=0)


@pytest.mark.parametrize(
    'codes',
    [
        np.zeros(50),
        np.full(50, -127),
        np.arange(-127, 128),
        np.random.default_rng(0).normal(0, 20, 5000).round().clip(-127, 127),
        np.random.default_rng(0).laplace(0, 3, 5000).round().clip(-127, 127),
        np.array([5]),
    ],
    ids=['zeros', 'one value', 'all', 'gaussian', 'laplace', 'single'],
)
def test_entropy_coder_is_exact(codes):
    tensors = [codes.astype(np.int32), np.array([1, -1, 0], np.int32)]
    described, code = entropy.encode(tensors, 127)
    decoded = entropy.decode(described, code, [len(t) for t in tensors], 127)
    for before, after in zip(tensors, decoded):
        assert np.array_equal(before, after)


def test_nothing_is_overwritten(file):
    net, cfg, signal = build('siren')
    before = file.read_bytes()
    with pytest.raises(FileExistsError, match='--force'):
        write_fit(file, net, cfg, signal, bits=4)
    assert file.read_bytes() == before
    write_fit(file, net, cfg, signal, bits=4, force=True)
    assert len(file.read_bytes()) < len(before)
    assert [path.name for path in file.parent.iterdir()] == ['fit.inrn']


def test_config_that_a_file_cannot_hold():
    net, cfg, signal = build('siren')
    with pytest.raises(ValueError, match='cannot hold'):
        encode_fit(net, dict(cfg, width=np.float32(3)), signal)
    with pytest.raises(ValueError, match='bits is 2 to 8, 16 or 32, not 9'):
        encode_fit(net, cfg, signal, bits=9)
    with torch.no_grad():
        next(net.parameters())[0, 0] = float('nan')
    for bits in (8, 16, 32):
        with pytest.raises(ValueError, match='NaN or infinite'):
            encode_fit(net, cfg, signal, bits)


def test_weights_too_large_for_half_precision():
    net, cfg, signal = build('siren')
    with torch.no_grad():
        next(net.parameters())[0, 0] = 1e6
    with pytest.raises(ValueError, match='bits=32'):
        encode_fit(net, cfg, signal)
    fit = decode(encode_fit(net, cfg, signal, bits=32))
    assert next(fit.net.parameters())[0, 0] == 1e6


def test_without_constriction(file, monkeypatch):
    monkeypatch.setitem(sys.modules, 'constriction', None)
    with pytest.raises(ImportError, match='need the package constriction'):
        read_fit(file)


def test_header_is_json(file):
    data = file.read_bytes()
    header, _ = container.read(file)
    (length,) = struct.unpack_from('<I', data, 13)
    plain = zlib.decompress(data[17 : 17 + length])
    assert json.loads(plain) == header
