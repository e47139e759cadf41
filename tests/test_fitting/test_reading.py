"""Pixels of image and video files that libraries read wrong or in part."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from inrn_mm.fitting import load_signal
from inrn_mm.fitting.reading.orientation import oriented
from inrn_mm.utils.user_error import raised_here

rng = np.random.default_rng(0)


def deep(*shape, dtype=np.uint16):
    return rng.integers(0, 65536, shape, np.uint16).astype(dtype)


def read(path):
    return load_signal(path).array()[0]


def tiff(path, pixels, **options):
    """Write a TIFF whose tags say what they are told to."""
    tifffile = pytest.importorskip('tifffile')
    orientation = options.pop('orientation', None)
    tags = [] if orientation is None else [(274, 'H', 1, orientation, False)]
    tifffile.imwrite(path, pixels, extratags=tags, **options)
    return path


def png(path, pixels, kind, *chunks):
    """Write a PNG of 16 bits with chunks before and after its pixels."""

    def chunk(name, data):
        checksum = zlib.crc32(name + data)
        return struct.pack('>I', len(data)) + name + data + struct.pack('>I', checksum)

    height, width = pixels.shape[:2]
    head = struct.pack('>IIBBBBB', width, height, 16, kind, 0, 0, 0)
    lines = b''.join(b'\0' + row.astype('>u2').tobytes() for row in pixels)
    parts = [chunk(b'IHDR', head), *(chunk(*c) for c in chunks if c[0] != b'eXIf')]
    parts += [chunk(b'IDAT', zlib.compress(lines)), *(chunk(*c) for c in chunks if c[0] == b'eXIf')]
    path.write_bytes(b'\x89PNG\r\n\x1a\n' + b''.join(parts) + chunk(b'IEND', b''))
    return path


def exif(orientation):
    return struct.pack('>2sHIHHHIHHI', b'MM', 42, 8, 1, 274, 3, 1, orientation, 0, 0)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_orientations_are_those_of_pillow(tmp_path, orientation):
    pixels = rng.integers(0, 256, (4, 6, 3), np.uint8)
    path = tmp_path / 'a.png'
    Image.fromarray(pixels).save(path, exif=exif(orientation))
    from PIL import ImageOps

    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(oriented(pixels, orientation), expected)
    np.testing.assert_array_equal(read(path), expected)


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('kind', ['uint16', 'float32', 'gray', 'uint8', 'bigtiff'])
def test_turned_tiffs(tmp_path, orientation, kind):
    pixels = deep(4, 6, 3)
    options = dict(photometric='rgb', bigtiff=kind == 'bigtiff')
    if kind == 'float32':
        pixels = (pixels / 65535).astype(np.float32)
    elif kind == 'uint8':
        pixels = (pixels >> 8).astype(np.uint8)
    elif kind == 'gray':
        pixels, options = pixels[..., 0], dict(photometric='minisblack', byteorder='>')
    path = tiff(tmp_path / 'a.tif', pixels, orientation=orientation, **options)
    expected = oriented(pixels, orientation)
    np.testing.assert_array_equal(read(path), expected.reshape(*expected.shape[:2], -1))


@pytest.mark.parametrize('compression', ['zlib', None])
def test_compressed_tiffs(tmp_path, compression):
    pixels = deep(20, 30, 3)
    options = dict(compression=compression, predictor=bool(compression))
    path = tiff(tmp_path / 'a.tif', pixels, photometric='rgb', **options)
    np.testing.assert_array_equal(read(path), pixels)


def test_samples_of_tiffs_mean_what_the_tags_say(tmp_path):
    gray = deep(4, 6)
    inverted = tiff(tmp_path / 'a.tif', gray, photometric='miniswhite')
    np.testing.assert_array_equal(read(inverted)[..., 0], 65535 - gray)

    alpha = deep(4, 6, 1)
    alpha[0, 0] = 0
    colours = deep(4, 6, 3)
    colours[0, 0] = 0
    multiplied = np.round(colours * (alpha / 65535)).astype(np.uint16)
    stored = np.concatenate([multiplied, alpha], 2)
    path = tiff(tmp_path / 'b.tif', stored, photometric='rgb', extrasamples=['assocalpha'])
    found = read(path)
    np.testing.assert_array_equal(found[..., 3:], alpha)
    error = np.abs(found[..., :3].astype(float) - colours) * (alpha / 65535)
    assert error.max() <= 1  # what rounding to 16 bits has lost
    plain = tiff(tmp_path / 'c.tif', stored, photometric='rgb', extrasamples=['unassalpha'])
    np.testing.assert_array_equal(read(plain), stored)


@pytest.mark.parametrize(
    'options, dtype, channels, message',
    [
        (dict(photometric='cielab'), np.uint8, 3, 'CIE Lab'),
        (dict(photometric='cielab'), np.uint16, 3, 'CIE Lab'),
        (dict(photometric='separated'), np.uint16, 4, 'CMYK'),
        (dict(photometric='rgb', planarconfig='separate'), np.uint16, 3, 'each in a plane'),
        (dict(photometric='minisblack'), np.uint32, 1, '32 bits, unsigned'),
        (dict(photometric='minisblack'), np.int16, 1, '16 bits, signed'),
        (dict(photometric='minisblack'), np.float16, 1, '16 bits, floating-point'),
        (dict(photometric='minisblack'), np.int8, 1, '8 bits, signed'),
        (dict(photometric='rgb', planarconfig='contig'), np.uint8, 5, '6 channel'),
    ],
)
def test_tiffs_that_are_not_read_exactly(tmp_path, options, dtype, channels, message):
    pixels = deep(4, 6, channels, dtype=dtype)
    if channels == 1:
        pixels = pixels[..., 0]
    elif 'planarconfig' in options:
        pixels = pixels.transpose(2, 0, 1)
    path = tiff(tmp_path / 'a.tif', pixels, **options)
    with pytest.raises(ValueError, match=message):
        load_signal(path)


@pytest.mark.parametrize('orientation', [3, 6])
def test_turned_png_of_16_bits(tmp_path, orientation):
    pixels = deep(4, 6, 3)
    path = png(tmp_path / 'a.png', pixels, 2, (b'eXIf', exif(orientation)))
    np.testing.assert_array_equal(read(path), oriented(pixels, orientation))


def test_transparent_colour_of_16_bits(tmp_path):
    gray = deep(4, 6)
    found = read(png(tmp_path / 'a.png', gray, 0, (b'tRNS', struct.pack('>H', gray[1, 2]))))
    np.testing.assert_array_equal(found[..., :3], np.repeat(gray[..., None], 3, 2))
    np.testing.assert_array_equal(found[..., 3] == 0, gray == gray[1, 2])
    colours = deep(4, 6, 3)
    key = struct.pack('>3H', *colours[1, 2])
    found = read(png(tmp_path / 'b.png', colours, 2, (b'tRNS', key)))
    np.testing.assert_array_equal(found[..., :3], colours)
    np.testing.assert_array_equal(np.argwhere(found[..., 3] == 0), [[1, 2]])


@pytest.mark.parametrize('largest', [1023, 4095, 65535, 300])
@pytest.mark.parametrize('kind', [2, 3, 5, 6])
def test_netpbm_of_any_range(tmp_path, largest, kind):
    channels = 3 if kind in (3, 6) else 1
    values = rng.integers(0, largest + 1, (4, 5, channels))
    values[0, 0] = largest
    path = tmp_path / 'a.ppm'
    head = f'P{kind} # of a camera\n5\n4 {largest}\n'.encode()
    plain = ' '.join(map(str, values.flatten())).encode()
    path.write_bytes(head + (values.astype('>u2').tobytes() if kind > 3 else plain))
    found = read(path)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, np.floor(values * 65535 / largest + 0.5))
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ValueError, match='cut short'):
        load_signal(path)


def test_formats_that_would_be_cut_to_8_bits(tmp_path):
    Image.fromarray(deep(6, 8)).save(tmp_path / 'a.jp2')
    with pytest.raises(ValueError, match='JPEG2000 file of more than 8 bits'):
        load_signal(tmp_path / 'a.jp2')
    Image.new('RGB', (8, 6), (1, 2, 3)).save(tmp_path / 'b.jp2')
    assert load_signal(tmp_path / 'b.jp2').shape == (1, 6, 8, 3)
    for name in ('a.pfm', 'b.pgm'):
        (tmp_path / name).write_bytes(b'Pf\n8 6\n-1.0\n' + np.full(48, 0.5, '<f4').tobytes())
        with pytest.raises(ValueError, match='of more than 8 bits'):
            load_signal(tmp_path / name)
    Image.new('L', (8, 6)).save(tmp_path / 'a.sgi')
    with pytest.raises(ValueError, match='SGI file, whose pixels are not read exactly'):
        load_signal(tmp_path / 'a.sgi')


def test_premultiplied_8_bits(tmp_path):
    stored = np.full((4, 6, 4), 64, np.uint8)
    path = tiff(tmp_path / 'a.tif', stored, photometric='rgb', extrasamples=['assocalpha'])
    assert read(path)[0, 0].tolist() == [255, 255, 255, 64]
    gray = dict(photometric='minisblack', planarconfig='contig', extrasamples=['assocalpha'])
    path = tiff(tmp_path / 'b.tif', stored[..., :2], **gray)
    assert read(path)[0, 0].tolist() == [255, 255, 255, 64]


def animation(path, durations, alpha=False):
    mode = 'RGBA' if alpha else 'RGB'
    frames = []
    for i in range(len(durations)):
        frames.append(Image.new(mode, (8, 6), (60 * i, 200, 30, 255)[: len(mode)]))
        if alpha and i == 1:
            frames[-1].putpixel((0, 0), (0, 0, 0, 0))
    options = {} if path.suffix == '.tiff' else dict(duration=durations)
    lossless = dict(lossless=True) if path.suffix == '.webp' else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options, **lossless)
    return path


@pytest.mark.parametrize('suffix', ['gif', 'webp', 'png', 'tiff'])
def test_animations_are_videos(tmp_path, suffix):
    path = animation(tmp_path / f'a.{suffix}', [50] * 4)
    signal = load_signal(path)
    assert signal.shape == (4, 6, 8, 3)
    assert signal.data[:, 2, 2, 0].tolist() == pytest.approx([0, 60, 120, 180], abs=3)
    assert signal.fps == pytest.approx(24 if suffix == 'tiff' else 20)
    every = load_signal(path, frames=2, stride=2)
    assert every.data[:, 2, 2, 0].tolist() == pytest.approx([0, 120], abs=3)
    folder = tmp_path / 'folder'
    folder.mkdir()
    (folder / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match='holds 4 pictures where one is wanted'):
        load_signal(folder)


def test_frames_of_an_animation_that_stay_longer(tmp_path):
    signal = load_signal(animation(tmp_path / 'a.gif', [50, 50, 150, 50, 100]))
    assert signal.fps == pytest.approx(20)
    shown = (signal.data[:, 2, 2, 0].float() / 60).round().tolist()
    assert shown == [0, 1, 2, 2, 2, 3, 4, 4]


def test_one_frame_with_alpha_gives_all_of_them_alpha(tmp_path):
    signal = load_signal(animation(tmp_path / 'a.webp', [50] * 3, alpha=True))
    assert signal.data[:, 0, 0, 3].tolist() == [255, 0, 255]


def test_pages_of_16_bits(tmp_path):
    pixels = deep(3, 6, 8)
    path = tiff(tmp_path / 'a.tif', pixels, photometric='minisblack')
    np.testing.assert_array_equal(load_signal(path).array()[..., 0], pixels)
    tiff(path, pixels[0], photometric='minisblack')
    tiff(path, pixels[1].astype(np.uint8), photometric='minisblack', append=True)
    with pytest.raises(ValueError, match='pages of 8 bits and of more'):
        load_signal(path)


def test_preview_in_a_photograph_is_no_frame(tmp_path):
    images = [Image.new('RGB', (8, 6), (9, 9, 9)), Image.new('RGB', (4, 3))]
    images[0].save(tmp_path / 'a.jpg', 'MPO', save_all=True, append_images=images[1:])
    assert load_signal(tmp_path / 'a.jpg').shape == (1, 6, 8, 3)


def test_gray_png_of_opencv(tmp_path):
    pixels = deep(4, 6, 4)
    cv2.imwrite(str(tmp_path / 'a.png'), pixels)
    np.testing.assert_array_equal(read(tmp_path / 'a.png'), pixels[..., [2, 1, 0, 3]])


@pytest.mark.parametrize('name', ['a.png', 'b.png', 'a.tif', 'b.tif', 'a.gif', 'a.ppm', 'a.webp'])
def test_damaged_images_end_in_a_sentence_or_in_pixels(tmp_path, name):
    path = tmp_path / name
    if name == 'b.png':
        png(path, deep(12, 16, 3), 2, (b'eXIf', exif(6)))
    elif name == 'a.tif':
        tiff(path, deep(12, 16, 3), photometric='rgb', compression='zlib', orientation=6)
    elif name == 'b.tif':
        tiff(path, deep(3, 12, 16), photometric='minisblack', byteorder='>')
    elif name == 'a.ppm':
        path.write_bytes(b'P6 16 12 1023\n' + (deep(12, 16, 3) % 1024).astype('>u2').tobytes())
    elif name == 'a.png':
        Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8)).save(path)
    else:
        animation(path, [50] * 4)
    content = path.read_bytes()
    for trial in range(40):
        data = bytearray(content)
        if trial % 3:
            for _ in range(rng.integers(1, 6)):
                data[rng.integers(len(data))] = rng.integers(256)
        else:
            del data[rng.integers(len(data)) :]
        path.write_bytes(data)
        try:
            assert load_signal(path).shape[3] in (1, 3, 4)
        except (ValueError, MemoryError) as error:
            assert raised_here(error) == str(error), error
