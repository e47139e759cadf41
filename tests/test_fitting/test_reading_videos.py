"""Video files that are turned, cut, damaged, or of a varying rate."""

import struct
from fractions import Fraction

import numpy as np
import pytest

from inrn_mm.fitting import load_signal
from inrn_mm.fitting.reading.orientation import oriented
from inrn_mm.fitting.reading.rate import timing_of

rng = np.random.default_rng(0)


def video(path, codec='mpeg4', times=range(12), pix_fmt='yuv420p'):
    """Frame i has red 18 i and noise, and is shown at ``times[i]`` of 10 in a second."""
    av = pytest.importorskip('av')
    with av.open(str(path), 'w') as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, pix_fmt
        stream.bit_rate = 10**6
        stream.time_base = stream.codec_context.time_base = Fraction(1, 10)
        for i, time in enumerate(times):
            pixels = rng.integers(0, 20, (32, 48, 3), np.uint8)
            pixels[..., 0] += 18 * i
            frame = av.VideoFrame.from_ndarray(pixels, 'rgb24')
            frame.pts, frame.time_base = time, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def numbers(signal):
    return (signal.data[..., 0].float().mean((1, 2)) / 18 - 0.5).round().tolist()


@pytest.mark.parametrize(
    'matrix, orientation',
    [((0, 1, -1, 0), 6), ((0, -1, 1, 0), 8), ((-1, 0, 0, -1), 3), ((-1, 0, 0, 1), 2)],
)
def test_videos_of_turned_phones(tmp_path, matrix, orientation):
    path = video(tmp_path / 'a.mp4')
    upright = load_signal(path).array()
    data = bytearray(path.read_bytes())
    a, b, c, d = (value * 2**16 for value in matrix)
    place = data.index(b'tkhd') + 44
    struct.pack_into('>9i', data, place, a, b, 0, c, d, 0, 0, 0, 2**30)
    path.write_bytes(data)
    turned = load_signal(path).array()
    np.testing.assert_array_equal(turned[3], oriented(upright[3], orientation))
    struct.pack_into('>9i', data, place, 46341, 46341, 0, -46341, 46341, 0, 0, 0, 2**30)
    path.write_bytes(data)
    with pytest.raises(ValueError, match='at an angle'):
        load_signal(path)


@pytest.mark.parametrize(
    'name, codec',
    [('a.ts', 'mpeg2video'), ('a.ts', 'mpeg4'), ('a.mpg', 'mpeg2video'), ('a.y4m', 'rawvideo')],
)
def test_cut_streams_without_a_length(tmp_path, name, codec):
    path = tmp_path / name
    video(path, codec)
    assert load_signal(path).shape[0] == 12
    content = path.read_bytes()
    for share in (0.5, 0.66, 0.75):
        path.write_bytes(content[: int(share * len(content)) | 1])
        with pytest.raises(ValueError, match='is cut short') as caught:
            load_signal(path)
        number = int(str(caught.value).split('--frames ')[1].rstrip('.'))
        assert 2 < number < 12
        assert numbers(load_signal(path, frames=number)) == list(range(number))


@pytest.mark.parametrize('name, codec', [('a.mp4', 'libx264'), ('a.mpg', 'mpeg2video')])
def test_damaged_frames(tmp_path, name, codec):
    path = tmp_path / name
    video(path, codec)
    data = bytearray(path.read_bytes())
    place = len(data) // 3 * 2
    data[place : place + 400] = bytes(value ^ 0x55 for value in data[place : place + 400])
    path.write_bytes(data)
    with pytest.raises(ValueError, match='is cut short or damaged'):
        load_signal(path)


def test_varying_rate_plays_at_the_right_speed(tmp_path):
    times = [0, 1, 2, 3, 7, 8, 9, 10, 11, 14, 15]
    signal = load_signal(video(tmp_path / 'a.mkv', 'libx264', times))
    assert signal.fps == pytest.approx(10)
    assert numbers(signal) == [0, 1, 2, 3, 3, 3, 3, 4, 5, 6, 7, 8, 8, 8, 9, 10]


def test_small_deviations_are_no_varying_rate():
    even = [i / 30 for i in range(300)]
    milliseconds = [round(t, 3) for t in even]
    timing = timing_of(milliseconds, 1 / 30)
    assert timing.even and timing.step == 1 / 30 and timing.count == 300
    phone = [t + 0.004 * (-1) ** i for i, t in enumerate(even)]
    assert timing_of(phone, 1 / 30).even
    # what the header states is not believed
    assert timing_of(even, 1 / 24).step == pytest.approx(1 / 30)
    assert timing_of([0.0], 1 / 25).step == 1 / 25


@pytest.mark.parametrize('pix_fmt', ['yuv444p10le', 'bgra', 'gray16le'])
def test_bits_and_transparency_of_videos_are_kept(tmp_path, pix_fmt):
    signal = load_signal(video(tmp_path / 'a.mkv', 'ffv1', pix_fmt=pix_fmt))
    assert signal.max_value == (255 if pix_fmt == 'bgra' else 65535)
    assert signal.shape[3] == (4 if pix_fmt == 'bgra' else 3)
    if pix_fmt == 'bgra':
        assert numbers(signal) == list(range(12)) and (signal.data[..., 3] == 255).all()
    elif pix_fmt == 'yuv444p10le':
        levels = signal.data[..., 0].float().mean((1, 2)) / 257
        assert (levels / 18 - 0.5).round().tolist() == list(range(12))
        assert (signal.data % 257 != 0).any()  # between the levels of 8 bits
