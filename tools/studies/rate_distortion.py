"""Quality over the size of the file, beside the usual codecs."""

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from inrn_mm.fitting.codec import check_bits, read_fit, write_fit
from inrn_mm.fitting.job import FIT, write_json
from inrn_mm.fitting.measure import measure
from inrn_mm.fitting.options import FitJob
from inrn_mm.fitting.plots import write_curves
from inrn_mm.fitting.signal import Signal
from inrn_mm.utils.whole_file import whole_file

from .fit_comparison import fit_once, load_target
from .markdown_table import markdown_table
from .reference_codecs import check_plain, jpeg_points, video_points

KEYS = ('codec', 'setting', 'bytes', 'bits_per_pixel', 'psnr', 'ssim', 'ms_ssim', 'encode_seconds')


def rate_distortion(
    job: FitJob, out: Path, parameters: Sequence[int], bits: Sequence[int] = (8, 6, 4)
) -> list[dict]:
    """Fit networks of several sizes, and write each with several bits.

    Finished fits are left alone. ``rd.csv``, ``rd.json`` and ``rd.png`` are
    written into ``out``: all points, and for the fits the curve of those
    that no smaller file is as good as.

    Args:
        job (FitJob): What to fit and how; its ``parameters``, ``bits`` and
            ``work_dir`` are set here.
        out (Path): Folder.
        parameters (Sequence[int]): Sizes of the networks.
        bits (Sequence[int]): Bits of a weight. Defaults to 8, 6 and 4.

    Returns:
        list[dict]: The points.

    Raises:
        ValueError: If the input is none that the codecs take.
    """
    for bit in bits:
        check_bits(bit)
    target = load_target(job)
    check_plain(target)
    points = codec_points(target)
    name = Path(job.config).stem
    for number in sorted(parameters):
        folder = out / f'{name}_{number}'
        # exact weights: any number of bits can be made of them
        metrics = fit_once(replace(job, work_dir=str(folder), parameters=number, bits=32))
        exact = read_fit(folder / FIT)
        for bit in bits:
            path = folder / f'{bit}_bits.inrn'
            write_fit(path, exact.net, exact.net_cfg, exact.signal, bit, force=True)
            figures, _ = measure(read_fit(path), target)
            points.append(
                dict(
                    figures,
                    codec=name,
                    setting=f'{metrics["parameters"]} parameters, {bit} bits',
                    encode_seconds=metrics['encode_seconds'],
                )
            )
        write_points(points, out)
    return points


def codec_points(target: Signal) -> list[dict]:
    """Measure JPEG's points for an image, H.264's and H.265's for a video."""
    if target.shape[0] == 1:
        found = {'JPEG': jpeg_points(target)}
    else:
        found = {
            'H.264 (x264)': video_points(target, 'libx264'),
            'H.265 (x265)': video_points(target, 'libx265'),
        }
    return [dict(point, codec=name) for name, points in found.items() for point in points]


def write_points(points: Sequence[dict], out: Path) -> None:
    """Write ``rd.csv``, ``rd.json`` and ``rd.png``.

    Args:
        points (Sequence[dict]): See :func:`rate_distortion`.
        out (Path): Folder; made if it is not there.
    """
    out.mkdir(parents=True, exist_ok=True)
    with whole_file(out / 'rd.csv') as part, open(part, 'w', newline='') as file:
        writer = csv.DictWriter(file, KEYS, extrasaction='ignore')
        writer.writeheader()
        writer.writerows(points)
    write_json(out / 'rd.json', list(points))
    names = dict.fromkeys(point['codec'] for point in points)
    curves = {
        name: [
            (p['bits_per_pixel'], p['psnr'])
            for p in frontier([q for q in points if q['codec'] == name])
        ]
        for name in names
    }
    write_curves(out / 'rd.png', curves, xlabel='bits per pixel', log=True)


def frontier(points: Sequence[dict]) -> list[dict]:
    """Choose the points that no smaller file is as good as, by size."""
    kept: list[dict] = []
    for point in sorted(points, key=lambda p: (p['bytes'], -p['psnr'])):
        if not kept or point['psnr'] > kept[-1]['psnr']:
            kept.append(point)
    return kept


def psnr_at(points: Sequence[dict], rate: float) -> float | None:
    """Interpolate the PSNR of a codec at a rate, between its points; None outside them.

    Args:
        points (Sequence[dict]): Points of one codec.
        rate (float): Bits per pixel.
    """
    import numpy as np

    curve = frontier(points)
    rates = [point['bits_per_pixel'] for point in curve]
    if not rates or not rates[0] <= rate <= rates[-1]:
        return None
    return float(np.interp(np.log(rate), np.log(rates), [point['psnr'] for point in curve]))


def summary(points: Sequence[dict]) -> str:
    """Write the fits' points as a Markdown table, beside the codecs at that rate."""
    others = dict.fromkeys(p['codec'] for p in points if 'encode_seconds' not in p)
    titles = ['file', 'bits per pixel', 'PSNR (dB)', *(f'{name} at this rate' for name in others)]
    rows = []
    fits = [point for point in points if 'encode_seconds' in point]
    for point in frontier(fits):
        rate = point['bits_per_pixel']
        cells = [f'{point["codec"]}, {point["setting"]}', f'{rate:.3f}', f'{point["psnr"]:.2f}']
        for name in others:
            value = psnr_at([p for p in points if p['codec'] == name], rate)
            cells.append('-' if value is None else f'{value:.2f}')
        rows.append(cells)
    return markdown_table(titles, rows)
