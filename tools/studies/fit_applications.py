"""Applications of a fit: super-resolution, frames in between, denoising.

Each function measures one of them against the usual way.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from inrn_mm.fitting.codec import read_fit
from inrn_mm.fitting.files import to_rgb8, write_frames, write_image
from inrn_mm.fitting.job import FIT, METRICS, write_json
from inrn_mm.fitting.measure import Meter, open_fitter, pixels_of
from inrn_mm.fitting.options import FitJob
from inrn_mm.fitting.resize import resized
from inrn_mm.fitting.settings import begun, clear, need_free, settings_of, write_settings
from inrn_mm.fitting.signal import Signal

from .fit_comparison import choose_boxes, draw_grid, fit_once, load_target
from .markdown_table import markdown_table

FITTED = 'fit'  # folder of the fit
PICTURES = ('result.png', 'grid.png', METRICS)


def super_resolve(job: FitJob, out: Path, factor: int = 2) -> dict[str, dict]:
    """Fit the image shrunk, decode it at its full size.

    Args:
        job (FitJob): An image; its ``size`` is set here.
        out (Path): Folder.
        factor (int): Factor of the sides. Defaults to 2.

    Returns:
        dict[str, dict]: Quality against the full image of the fit, of Lanczos
        and of bicubic interpolation of the shrunk image.

    Raises:
        ValueError: If the input is no image, the factor below 2, or the
            folder of another input or other settings.
        FileExistsError: If the folder has products of something else.
    """
    import cv2

    target = load_target(job)
    _need_image(target)
    if factor < 2:
        raise ValueError(f'factor is 2 or more, not {factor}.')
    height, width = target.shape[1:3]
    small = [height // factor, width // factor]
    if [side * factor for side in small] != [height, width]:
        raise ValueError(
            f'{width} x {height} is not a multiple of {factor}: choose a --crop that is.'
        )
    shrunk = resized(target.array()[0], small)
    source = out / 'small.png'
    _begin(job, out, ('small.png', *PICTURES), task='superres', factor=factor)
    write_image(source, shrunk)
    fit_once(replace(job, input=str(source), size=None, crop=None, work_dir=str(out / FITTED)))
    fitter = open_fitter(read_fit(out / FITTED / FIT))
    pictures = {
        'fit': next(pixels_of(fitter, size=(height, width))),
        'Lanczos': cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_LANCZOS4),
        'bicubic': resized(shrunk, (height, width)),
    }
    return _judge(target, pictures, out)


def interpolate(job: FitJob, out: Path) -> dict[str, dict]:
    """Fit every second frame, decode the frames between.

    Args:
        job (FitJob): A video; its ``stride`` is doubled here.
        out (Path): Folder.

    Returns:
        dict[str, dict]: Quality of the frames between, of the fit and of the
        mean of both neighbours.

    Raises:
        ValueError: If there are less than three frames, or the folder is of
            another input or other settings.
        FileExistsError: If the folder has products of something else.
    """
    target = load_target(job)
    count = (target.shape[0] - 1) // 2
    if count < 1:
        raise ValueError(
            f'Interpolation needs three frames or more, the input has {target.shape[0]}.'
        )
    _begin(job, out, ('between', METRICS), task='interpolate')
    # the last even frame ends the fit: what is beyond is no interpolation
    frames = None if job.frames is None else count + 1
    fit_once(replace(job, stride=2 * job.stride, frames=frames, work_dir=str(out / FITTED)))
    data = target.array()
    between = Signal(target.data[1 : 2 * count : 2], None, target.max_value, target.fps)
    fitter = open_fitter(read_fit(out / FITTED / FIT))
    fitted = list(pixels_of(fitter, frames=[i + 0.5 for i in range(count)]))
    blended = [
        np.round((data[i - 1].astype(np.float64) + data[i + 1]) / 2).astype(data.dtype)
        for i in range(1, 2 * count, 2)
    ]
    write_frames(out / 'between', fitted)
    found = {}
    for name, pictures in (('fit', fitted), ('mean of both neighbours', blended)):
        found[name] = _figures(between, pictures)
    write_json(out / METRICS, found)
    return found


def denoise(job: FitJob, out: Path, sigma: float = 25.0, seed: int = 0) -> dict[str, dict]:
    """Fit a noisy image and stop when the rest is as large as the noise.

    The network learns the picture before the noise. Training ends when the
    PSNR to the *noisy* image reaches that of the noise itself
    (discrepancy principle); the clean image is only measured with.

    Args:
        job (FitJob): An image; its ``target_psnr`` is set here.
        out (Path): Folder.
        sigma (float): Standard deviation of the noise, in levels of 255.
            Defaults to 25.
        seed (int): Seed of the noise. Defaults to 0.

    Returns:
        dict[str, dict]: Quality against the clean image of the noisy one, of
        the fit, of total-variation denoising and of non-local means.

    Raises:
        ValueError: If the input is no 8-bit image, sigma not positive, or the
            folder of another input or other settings.
        FileExistsError: If the folder has products of something else.
    """
    target = load_target(job)
    _need_image(target)
    if not 0 < sigma < math.inf or target.max_value != 255:
        raise ValueError(
            'Denoising takes an 8-bit image and a positive '
            f'sigma, got {sigma:g} and a range of '
            f'{target.max_value:g}.'
        )
    clean = target.array()[0]
    noise = np.random.default_rng(seed).normal(0, sigma, clean.shape)
    noisy = np.round((clean + noise).clip(0, 255)).astype(np.uint8)
    _begin(job, out, ('noisy.png', *PICTURES), task='denoise', sigma=sigma, seed=seed)
    write_image(out / 'noisy.png', noisy)
    # known to the user who knows sigma; clipping makes it a little smaller
    level = 20 * math.log10(255 / sigma)
    fit_once(
        replace(
            job,
            input=str(out / 'noisy.png'),
            size=None,
            crop=None,
            target_psnr=level,
            work_dir=str(out / FITTED),
        )
    )
    fitter = open_fitter(read_fit(out / FITTED / FIT))
    fitted = next(pixels_of(fitter))
    pictures = {'noisy': noisy, 'fit': fitted, **_denoised(noisy, sigma)}
    return _judge(target, pictures, out)


def _denoised(noisy: np.ndarray, sigma: float) -> dict[str, np.ndarray]:
    """Denoise by the usual ways."""
    from skimage.restoration import denoise_nl_means, denoise_tv_chambolle

    scaled = noisy / 255.0
    return {
        'total variation': _to_pixels(
            denoise_tv_chambolle(scaled, weight=0.9 * sigma / 255, channel_axis=-1)
        ),
        'non-local means': _to_pixels(
            denoise_nl_means(
                scaled,
                h=0.8 * sigma / 255,
                sigma=sigma / 255,
                patch_size=5,
                patch_distance=6,
                channel_axis=-1,
            )
        ),
    }


def markdown(found: dict[str, dict]) -> str:
    """Write the figures of one of these as a Markdown table.

    Args:
        found (dict[str, dict]): Name to quality, with ``psnr`` (dB) and, where
            known, ``ssim`` and ``ms_ssim``.

    Returns:
        str: A row for each name.
    """
    titles = dict(psnr='PSNR (dB)', ssim='SSIM', ms_ssim='MS-SSIM')
    keys = [key for key in titles if key in next(iter(found.values()))]
    rows = [
        [name, *(f'{figures[key]:.2f}' if key == 'psnr' else f'{figures[key]:.4f}' for key in keys)]
        for name, figures in found.items()
    ]
    return markdown_table(['', *(titles[key] for key in keys)], rows)


def _begin(job: FitJob, out: Path, products: Sequence[str], **more) -> None:
    """Make a folder that of this very task, or see that it is."""
    settings = dict(settings_of(job), **more)
    if begun(out, settings, job.force):
        return
    if job.force:
        (out / METRICS).unlink(missing_ok=True)
        clear(out / FITTED)
    else:
        need_free(out, products)
    write_settings(out, settings)


def _judge(target: Signal, pictures: dict[str, np.ndarray], out: Path) -> dict[str, dict]:
    """Measure pictures of one image; write them with a grid of them."""
    height, width, channels = target.shape[1:]
    pictures = {
        name: picture.reshape(height, width, channels) for name, picture in pictures.items()
    }
    found = {name: _figures(target, [picture]) for name, picture in pictures.items()}
    write_image(out / 'result.png', pictures['fit'])
    truth = to_rgb8(target.array()[0])
    titled = {'ground truth': truth}
    titled.update(
        {
            f'{name}  {found[name]["psnr"]:.2f} dB': to_rgb8(picture)
            for name, picture in pictures.items()
        }
    )
    write_image(out / 'grid.png', draw_grid(titled, choose_boxes(truth)))
    write_json(out / METRICS, found)
    return found


def _figures(target: Signal, frames: list[np.ndarray]) -> dict[str, float]:
    meter = Meter(target)
    for _ in meter.watch(iter(frames)):
        pass
    return meter.figures()


def _need_image(target: Signal) -> None:
    if target.shape[0] != 1:
        raise ValueError(f'This takes one image, the input has {target.shape[0]} frames.')


def _to_pixels(image: np.ndarray) -> np.ndarray:
    return np.round(image.clip(0, 1) * 255).astype(np.uint8)
