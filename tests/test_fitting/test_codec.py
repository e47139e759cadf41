"""The compact file of a fit."""

import json
import struct
import sys
import zlib

import numpy as np
import pytest
import torch
from mmengine.registry import MODELS

import inrn_mm  # noqa: F401
from inrn_mm.fitting.codec import container, encode_fit, entropy, read_fit, write_fit
from inrn_mm.fitting.codec.compact import plain_config
from inrn_mm.fitting.codec.quantize import dequantize, num_steps, quantize
from inrn_mm.fitting.signal import Signal
from inrn_mm.utils.user_error import raised_here

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


def decode(data):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'fit.inrn'
        path.write_bytes(data)
        return read_fit(path)


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


@pytest.fixture
def file(tmp_path):
    net, cfg, signal = build('siren')
    path = tmp_path / 'fit.inrn'
    write_fit(path, net, cfg, signal)
    return path


def test_every_truncation_and_every_change_is_noticed(file):
    data = file.read_bytes()
    for length in list(range(0, 40)) + [len(data) // 2, len(data) - 1]:
        file.write_bytes(data[:length])
        with pytest.raises(ValueError, match='truncated|is not a compact'):
            read_fit(file)
    for place in (5, 9, 13, 16, 20, len(data) // 2, len(data) - 1):
        changed = bytearray(data)
        changed[place] ^= 1
        file.write_bytes(changed)
        with pytest.raises(ValueError, match='truncated|damaged'):
            read_fit(file)
    file.write_bytes(data + b'x')
    with pytest.raises(ValueError, match='damaged'):
        read_fit(file)


@pytest.mark.parametrize(
    'data, message',
    [
        (b'\x89PNG and more of it', 'is not a compact fit'),
        (b'', 'is not a compact fit'),
        (b'INRN\x07' + bytes(30), 'is of version 7 .* reads version 1'),
    ],
)
def test_not_our_file(tmp_path, data, message):
    path = tmp_path / 'x.inrn'
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_fit(path)
    with pytest.raises(FileNotFoundError, match='does not exist'):
        read_fit(tmp_path / 'none.inrn')


def test_nothing_is_overwritten(file):
    net, cfg, signal = build('siren')
    before = file.read_bytes()
    with pytest.raises(FileExistsError, match='--force'):
        write_fit(file, net, cfg, signal, bits=4)
    assert file.read_bytes() == before
    write_fit(file, net, cfg, signal, bits=4, force=True)
    assert len(file.read_bytes()) < len(before)
    assert [path.name for path in file.parent.iterdir()] == ['fit.inrn']


def rewritten(file, **changes):
    """The file with another header, all checksums right."""
    header, sections = container.read(file)
    header.update(changes)
    file.write_bytes(container.pack(header, sections))
    return file


@pytest.mark.parametrize(
    'net, message',
    [
        (dict(type='os.system'), "network of type 'os.system'"),
        (dict(type='INRN'), "network of type 'INRN'"),
        (dict(type='KnowledgeDistiller'), 'no fitting network'),
        (dict(type=['SIREN']), 'no fitting network'),
        (
            dict(type='SingleStageINRN', shape=VIDEO, act_cfg=dict(type='os.system')),
            'asks for os.system',
        ),
        (dict(type='SIREN', shape=[[dict(type='Pretrained')]]), 'asks for Pretrained'),
        (dict(type='SIREN', shape=IMAGE, width='wide'), 'cannot be decoded'),
        (dict(type='SIREN', shape=IMAGE, colour='red'), 'asks for colour'),
        (dict(type='SIREN', shape=IMAGE, _scope_='this'), 'asks for _scope_'),
        (dict(type='SIREN', shape=IMAGE, init_cfg=dict(type='GELU')), 'asks for init_cfg'),
        (
            dict(type='SingleStageINRN', shape=VIDEO, act_cfg=dict(type='GELU', _scope_='this')),
            'asks for _scope_',
        ),
        (
            dict(type='SingleStageINRN', shape=VIDEO, arch=dict(widths=[dict(_scope_='this')])),
            'asks for _scope_',
        ),
        (dict(type='SIREN', shape=IMAGE, width=50), 'has other layers'),
        (dict(type='SIREN', shape=IMAGE, width=20_000), 'more weights than the file'),
        (dict(type='SIREN', shape=IMAGE, width=10**9), 'cannot be decoded'),
        (dict(type='SIREN', shape=IMAGE, num_layers=10**9), 'more weights than the file'),
        (dict(type='FourierMLP', shape=IMAGE, num_features=10**8), 'more weights than'),
        (dict(type='HNeRV', shape=VIDEO, encoder_width=30_000), 'more weights than the file'),
        (dict(type='HNeRV', shape=[10**9, 40, 64, 3]), 'more weights than the file'),
        (dict(type='SingleStageINRN', shape=VIDEO, arch=dict(widths=[4] * 900)), 'at most 16'),
        (dict(type='SingleStageINRN', shape=VIDEO, levels=10**9), 'more weights than'),
        (
            dict(type='SingleStageINRN', shape=VIDEO, arch=dict(widths=[4] * 5, blocks=10**9)),
            'more weights than the file',
        ),
    ],
)
def test_hostile_headers(file, net, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_fit(rewritten(file, net=net))
    assert str(file) in str(caught.value)


def test_a_file_imports_nothing(file):
    path = rewritten(file, net=dict(container.read(file)[0]['net'], _scope_='this'))
    sys.modules.pop('this', None)
    with pytest.raises(ValueError, match='asks for _scope_'):
        read_fit(path)
    assert 'this' not in sys.modules


@pytest.mark.parametrize(
    'changes',
    [
        dict(shape=[10**10, 24, 32, 3]),
        dict(shape=[1, 24, 32]),
        dict(shape=[1, 24, 32, 2]),
        dict(shape=[1, 24.0, 32, 3]),
        dict(shape='1243'),
        dict(max=256),
        dict(fps=-1),
        dict(fps=float('nan')),
        dict(bits=9),
        dict(bits=None),
        dict(kinds='q'),
        dict(kinds='x' * 6),
        dict(rows=None),
        dict(net=[]),
        dict(net=[[[[]]]]),
        dict(layout='0'),
    ],
)
def test_headers_with_other_values(file, changes):
    with pytest.raises(ValueError, match='cannot be decoded by this inrn_mm'):
        read_fit(rewritten(file, **changes))


def test_nested_headers(file):
    net = dict(type='SIREN', shape=IMAGE)
    for depth in (500, 900, 5000):
        text = '[' * depth + ']' * depth
        header, sections = container.read(file)
        packed = zlib.compress(
            json.dumps(dict(header, net=dict(net, width='DEEP'))).replace('"DEEP"', text).encode()
        )
        rest = struct.pack('<I', len(packed)) + packed + b''.join(sections)
        other = file.with_name('deep.inrn')
        other.write_bytes(struct.pack('<4sBII', b'INRN', 1, len(rest), zlib.crc32(rest)) + rest)
        with pytest.raises(ValueError, match='cannot be decoded|is damaged'):
            read_fit(other)


@pytest.mark.parametrize('name, bits', [('siren', 8), ('nerv', 4), ('hnerv', 8), ('nerv', 32)])
def test_damages_below_a_right_checksum(name, bits, tmp_path):
    """All of them end in a sentence, or in a network: never in a library's error."""
    net, cfg, signal = build(name)
    header, sections = container.unpack(encode_fit(net, cfg, signal, bits), 'a file')
    rng = np.random.default_rng(0)
    path = tmp_path / 'a.inrn'
    refused = 0
    for trial in range(120):
        changed = [bytearray(section) for section in sections]
        place = changed[trial % 4]
        if trial % 3 and place:
            for _ in range(rng.integers(1, 9)):
                place[rng.integers(len(place))] = rng.integers(256)
        else:
            del place[rng.integers(len(place) + 1) :]
        path.write_bytes(container.pack(header, [bytes(section) for section in changed]))
        try:
            fit = read_fit(path)
        except ValueError as error:
            assert raised_here(error) is error and str(path) in str(error)
            refused += 1
        else:
            assert torch.isfinite(output(fit.net)).all()
    assert refused > 5


def test_header_that_unzips_to_gigabytes(file):
    packed = zlib.compress(b' ' * (container.MAX_HEADER + 10), 9)
    rest = struct.pack('<I', len(packed)) + packed
    file.write_bytes(struct.pack('<4sBII', b'INRN', 1, len(rest), zlib.crc32(rest)) + rest)
    with pytest.raises(ValueError, match='damaged.* too long'):
        read_fit(file)


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
