"""Compact files that are cut, changed, hostile, or none."""

import json
import struct
import sys
import zlib

import numpy as np
import pytest
import torch
from compact_files import IMAGE, VIDEO, build, output

import inrn_mm  # noqa: F401
from inrn_mm.fitting.codec import container, encode_fit, read_fit
from inrn_mm.utils.user_error import raised_here


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
            assert raised_here(error) == str(error) and str(path) in str(error)
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
