import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from inrn_mm.fitting import Signal, load_signal
from inrn_mm.fitting import memory as module
from inrn_mm.fitting.files import write_image


@pytest.mark.parametrize('channels', [1, 3, 4])
@pytest.mark.parametrize('dtype', [np.uint8, np.uint16])
def test_images_keep_channels_and_depth(tmp_path, channels, dtype):
    pixels = np.random.randint(0, np.iinfo(dtype).max, (6, 7, channels), dtype)
    order = [2, 1, 0, 3][:channels] if channels > 1 else [0]
    cv2.imwrite(str(tmp_path / 'a.png'), pixels[..., order])
    signal = load_signal(tmp_path / 'a.png')
    assert signal.shape == (1, 6, 7, channels)
    assert signal.max_value == np.iinfo(dtype).max
    np.testing.assert_array_equal(signal.array()[0], pixels)
    assert signal.array().dtype == dtype


def test_photographs_are_turned_as_the_camera_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new('RGB', (8, 4)).save(tmp_path / 'a.jpg', exif=exif)
    assert load_signal(tmp_path / 'a.jpg').shape == (1, 8, 4, 3)


def test_palette_with_transparency(tmp_path):
    image = Image.new('P', (5, 4))
    image.putpalette([10, 20, 30] * 256)
    image.save(tmp_path / 'a.png', transparency=0)
    assert load_signal(tmp_path / 'a.png').data[0, 0, 0].tolist() == [10, 20, 30, 0]


@pytest.fixture
def folder(tmp_path):
    for i in range(12):
        Image.new('L', (8, 6), i).save(tmp_path / f'f{i}.png')
    (tmp_path / 'notes.txt').write_text('no frame')
    return tmp_path


def test_frames_come_in_the_order_of_their_numbers(folder):
    signal = load_signal(folder)
    assert signal.shape == (12, 6, 8, 1)
    assert signal.data[:, 0, 0, 0].tolist() == list(range(12))
    every = load_signal(folder, frames=3, stride=2, crop=(1, 2, 4, 5), size=(2, 3))
    assert every.shape == (3, 2, 3, 1) and every.fps == 12
    assert every.data[:, 0, 0, 0].tolist() == [0, 2, 4]


def test_video_file(tmp_path):
    av = pytest.importorskip('av')
    with av.open(str(tmp_path / 'a.mp4'), 'w') as container:
        stream = container.add_stream('mpeg4', rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, 'yuv420p'
        for i in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((16, 32, 3), 40 * i, np.uint8), 'rgb24')
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    signal = load_signal(tmp_path / 'a.mp4')
    assert signal.shape == (5, 16, 32, 3) and signal.fps == 10
    means = signal.data.float().mean((1, 2, 3))
    torch.testing.assert_close(means, 40.0 * torch.arange(5), atol=6, rtol=0)
    assert load_signal(tmp_path / 'a.mp4', stride=2, frames=2).shape[0] == 2


def write_noise(path, frames=20):
    """A video with its header in front, where the container allows that."""
    av = pytest.importorskip('av')
    options = dict(movflags='faststart') if path.suffix == '.mp4' else {}
    with av.open(str(path), 'w', options=options) as container:
        stream = container.add_stream('mpeg4', rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 32, 'yuv420p'
        for _ in range(frames):
            pixels = np.random.randint(0, 255, (32, 48, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, 'rgb24')))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize('suffix', ['.mp4', '.mkv', '.avi'])
def test_cut_short_video(tmp_path, suffix):
    path = write_noise(tmp_path / f'a{suffix}')
    content = path.read_bytes()
    assert load_signal(path).shape[0] == 20
    write(path, content[: len(content) * 2 // 3])
    with pytest.raises(ValueError, match='is cut short') as caught:
        load_signal(path)
    number = int(str(caught.value).split('--frames ')[1].rstrip('.'))
    assert 4 < number < 16
    assert load_signal(path, frames=number).shape[0] == number


def test_frames_that_an_edit_list_leaves_out(tmp_path):
    av = pytest.importorskip('av')
    whole = write_noise(tmp_path / 'a.mp4')
    with av.open(str(whole)) as source, av.open(str(tmp_path / 'b.mp4'), 'w') as container:
        stream = source.streams.video[0]
        copy = container.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.pts -= round(1 / stream.time_base)
                packet.dts -= round(1 / stream.time_base)
                packet.stream = copy
                container.mux(packet)
    with av.open(str(tmp_path / 'b.mp4')) as container:
        assert container.streams.video[0].frames == 20
    assert load_signal(tmp_path / 'b.mp4').shape[0] == 10


def write(path, content=b''):
    path.write_bytes(content)
    return path


def test_what_is_no_image(tmp_path):
    with pytest.raises(FileNotFoundError, match='does not exist'):
        load_signal(tmp_path / 'none.png')
    with pytest.raises(ValueError, match='not an image that can be read'):
        load_signal(write(tmp_path / 'a.png', b'hello'))
    with pytest.raises(ValueError, match='not an image that can be read'):
        load_signal(write(tmp_path / 'b.png'))
    pytest.importorskip('av')
    with pytest.raises(ValueError, match='not a video that can be read'):
        load_signal(write(tmp_path / 'a.mp4', b'hello'))


def test_cut_short_image(tmp_path):
    pixels = np.random.randint(0, 255, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.jpg')
    content = (tmp_path / 'a.jpg').read_bytes()
    with pytest.raises(ValueError, match='cut short'):
        load_signal(write(tmp_path / 'b.jpg', content[: len(content) // 2]))


def test_folder_without_frames(tmp_path):
    write(tmp_path / 'a.txt')
    with pytest.raises(ValueError, match='has no frames'):
        load_signal(tmp_path)


def test_frames_of_several_sizes(folder):
    Image.new('L', (9, 6)).save(folder / 'f20.png')
    with pytest.raises(ValueError, match='f0.png is 8 x 6 .* f20.png is 9 x'):
        load_signal(folder)


def test_crop_outside(folder):
    with pytest.raises(ValueError, match='not inside'):
        load_signal(folder, crop=(0, 0, 7, 8))
    with pytest.raises(ValueError, match='at least 1'):
        load_signal(folder, stride=0)


@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_values_that_are_no_numbers(tmp_path, bad):
    pixels = np.random.rand(4, 5).astype(np.float32)
    cv2.imwrite(str(tmp_path / 'a.tiff'), pixels)
    np.testing.assert_array_equal(load_signal(tmp_path / 'a.tiff').array()[0, ..., 0], pixels)
    pixels[1, 2] = bad
    cv2.imwrite(str(tmp_path / 'b.tiff'), pixels)
    with pytest.raises(ValueError, match='1 values of the input are NaN'):
        load_signal(tmp_path / 'b.tiff')


@pytest.mark.parametrize('channels', [1, 3, 4])
def test_floating_point_tiff(tmp_path, channels):
    pixels = np.random.rand(6, 7, channels).astype(np.float32)
    path = tmp_path / 'a.tiff'
    write_image(path, pixels)
    signal = load_signal(path)
    assert signal.max_value == 1
    np.testing.assert_array_equal(signal.array()[0], pixels)
    # bicubic interpolation would leave [0, 1]
    write_image(path, pixels.round())
    assert load_signal(path, size=(12, 14)).data.max() == 1
    write_image(path, 255 * pixels)
    with pytest.raises(ValueError, match=r'lie in \[0, 1\] and the input has'):
        load_signal(path)


def test_damaged_tiff(tmp_path):
    for content in (b'II*\0', b'II*\0' + b'\xff' * 40, b'MM\0*' + b'\0' * 40):
        with pytest.raises(ValueError, match='not an image that can be read'):
            load_signal(write(tmp_path / 'a.tiff', content))


def test_format_that_opencv_has_not(tmp_path):
    with pytest.raises(ValueError, match='cannot be written: pixels of float'):
        write_image(tmp_path / 'a.exr', np.zeros((4, 4, 3), np.float32))
    write(tmp_path / 'a.exr')
    with pytest.raises(ValueError, match='has no frames'):
        load_signal(tmp_path)


def test_arrays_without_pixels_or_of_other_types():
    with pytest.raises(ValueError, match='of at least one'):
        Signal.from_array(np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(ValueError, match='type int64'):
        Signal.from_array(np.zeros((4, 4), np.int64))
    with pytest.raises(ValueError, match='no image or video'):
        Signal.from_array(np.zeros((4, 4, 2), np.uint8))


def test_what_does_not_fit_into_the_memory(folder, monkeypatch):
    monkeypatch.setattr(module, 'free_memory', lambda device: 200)
    keeping = r'Keeping 12 frame\(s\).*give fewer --frames, a --crop or a sma'
    with pytest.raises(MemoryError, match=keeping):
        load_signal(folder)
    assert load_signal(folder, crop=(0, 0, 2, 3)).shape[0] == 12
    assert load_signal(folder, frames=2).shape[0] == 2

    file = folder / 'f1.png'
    assert load_signal(file).shape == (1, 6, 8, 1)
    with pytest.raises(MemoryError, match='free: give a --crop or a smaller'):
        load_signal(file, size=(90, 90))
    monkeypatch.setattr(module, 'free_memory', lambda device: 100)
    with pytest.raises(MemoryError, match='cut or shrink the file first'):
        load_signal(file, crop=(0, 0, 2, 3))


def test_video_of_unknown_length_that_does_not_fit(tmp_path, monkeypatch):
    path = write_noise(tmp_path / 'a.mkv')
    monkeypatch.setattr(module, 'free_memory', lambda device: 9 * 48 * 32 * 3)
    with pytest.raises(MemoryError, match='fewer --frames'):
        load_signal(path)
    assert load_signal(path, frames=5).shape[0] == 5
