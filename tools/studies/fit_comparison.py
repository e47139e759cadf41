"""Several methods on one input: fits, table and pictures."""

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import yaml

from inrn_mm.fitting.codec import read_fit
from inrn_mm.fitting.files import to_rgb8, write_image
from inrn_mm.fitting.job import FIT, METRICS, run_fit
from inrn_mm.fitting.measure import open_fitter, pixels_of
from inrn_mm.fitting.options import FitJob
from inrn_mm.fitting.plots import write_curves
from inrn_mm.fitting.resize import resized
from inrn_mm.fitting.settings import begun, settings_of
from inrn_mm.fitting.signal import Signal, load_signal
from inrn_mm.utils.whole_file import whole_file

from .markdown_table import markdown_table

# Title, key, and how a figure is shown.
COLUMNS = (
    ('parameters', 'parameters', '{:,}'),
    ('steps', 'iterations', '{:,}'),
    ('encode (s)', 'encode_seconds', '{:.1f}'),
    ('PSNR (dB)', 'psnr_before_compression', '{:.2f}'),
    ('file (bytes)', 'bytes', '{:,}'),
    ('bits per pixel', 'bits_per_pixel', '{:.3f}'),
    ('PSNR of file', 'psnr', '{:.2f}'),
    ('SSIM', 'ssim', '{:.4f}'),
    ('MS-SSIM', 'ms_ssim', '{:.4f}'),
    ('decode (frames/s)', 'decode_fps', '{:.3g}'),
)
Box = tuple[int, int, int, int]


def fit_once(job: FitJob) -> dict:
    """Fit, go on with an interrupted fit, or read a finished one's figures.

    Args:
        job (FitJob): With a ``work_dir`` of its own.

    Returns:
        dict: See :func:`run_fit`.

    Raises:
        ValueError: If the work_dir is that of a fit with other settings, and
            ``force`` was not given.
    """
    folder = Path(job.work_dir)
    if begun(folder, settings_of(job), job.force):
        if (folder / METRICS).is_file():
            print(f'{folder.name}: done before', flush=True)
            return json.loads((folder / METRICS).read_text())
        job = replace(job, resume='auto')
    print(f'{folder.name}: fitting', flush=True)
    return run_fit(job)


def compare(
    jobs: dict[str, FitJob], out: Path, frame: int | None = None, boxes: Sequence[Box] = ()
) -> list[dict]:
    """Fit every job that is not done, and write table and pictures.

    After each fit ``table.md``, ``table.csv``, ``table.json``, ``psnr.png``
    and ``grid.png`` are those of the fits so far.

    Args:
        jobs (dict[str, FitJob]): Name to job, all with the same input.
        out (Path): Folder.
        frame (int, optional): Shown in the grid. Defaults to None, the
            middle one.
        boxes (Sequence[Box]): Top, left, height and width of the zoomed
            parts. Defaults to (), two with much detail.

    Returns:
        list[dict]: The figures of each, with its ``method``.
    """
    rows: list[dict] = []
    target = None
    for name, job in jobs.items():
        rows.append(dict(method=name, **fit_once(job)))
        folders = {row['method']: Path(jobs[row['method']].work_dir) for row in rows}
        write_tables(rows, out)
        write_curves(out / 'psnr.png', {row['method']: row['curve'] for row in rows})
        target = target or load_target(job)
        shown = target.shape[0] // 2 if frame is None else frame
        picture = grid(target, folders, shown, boxes, rows)
        write_image(out / 'grid.png', picture)
    return rows


def load_target(job: FitJob) -> Signal:
    """Load the signal that a job fits."""
    return load_signal(job.input, **job.input_options())


def markdown(rows: Sequence[dict]) -> str:
    """Write the table as Markdown; the best PSNR is bold.

    Args:
        rows (Sequence[dict]): See :func:`compare`; figures may be missing.

    Returns:
        str: Table, and below it what was fitted on which machine.
    """
    columns = [c for c in COLUMNS if any(c[1] in row for row in rows)]
    cells_of = []
    best = {
        key: max(row.get(key) or 0 for row in rows) for key in ('psnr_before_compression', 'psnr')
    }
    for row in rows:
        cells = [row['method']]
        for _, key, form in columns:
            value = row.get(key)
            text = '-' if value is None else form.format(value)
            bold = value is not None and best.get(key) == value
            cells.append(f'**{text}**' if bold else text)
        cells_of.append(cells)
    shape = rows[0]['shape']
    machines = '; '.join(dict.fromkeys(row['machine'] for row in rows))
    lines = [
        markdown_table(['method', *(title for title, *_ in columns)], cells_of),
        '',
        f'{shape[0]} frame(s) of {shape[2]} x {shape[1]}. PSNR and SSIM '
        'are means over the frames, of pixels rounded to their levels; the '
        "file's quality is that of what it decodes to.",
        '',
        f'Machine: {machines}.',
    ]
    return '\n'.join(lines) + '\n'


def write_tables(rows: Sequence[dict], out: Path) -> None:
    """Write ``table.md``, ``table.csv`` and ``table.json``.

    Args:
        rows (Sequence[dict]): See :func:`compare`.
        out (Path): Folder; made if it is not there.
    """
    out.mkdir(parents=True, exist_ok=True)
    with whole_file(out / 'table.md') as part:
        part.write_text(markdown(rows))
    with whole_file(out / 'table.json') as part:
        part.write_text(json.dumps(rows, indent=1) + '\n')
    keys = ['method', 'network', *(key for _, key, _ in COLUMNS)]
    with whole_file(out / 'table.csv') as part, open(part, 'w', newline='') as file:
        writer = csv.DictWriter(file, keys, extrasaction='ignore')
        writer.writeheader()
        writer.writerows(rows)


def grid(
    target: Signal, folders: dict[str, Path], frame: int, boxes: Sequence[Box], rows: Sequence[dict]
) -> np.ndarray:
    """Draw the top row of the paper's Fig. 2: ground truth, then each method.

    Below are the zoomed parts, whose places are drawn into the ground truth.

    Args:
        target (Signal): With its data.
        folders (dict[str, Path]): Method to its work_dir.
        frame (int): Shown.
        boxes (Sequence[Box]): Zoomed parts; none chooses two.
        rows (Sequence[Dict]): Figures, for the titles.

    Returns:
        np.ndarray: uint8 RGB.

    Raises:
        ValueError: If a box or the frame is outside.
    """
    count, height, width, _ = target.shape
    if not 0 <= frame < count:
        raise ValueError(f'There is no frame {frame} of {count} to show.')
    truth = to_rgb8(target.array()[frame])
    boxes = list(boxes) or choose_boxes(truth)
    for top, left, h, w in boxes:
        if min(top, left) < 0 or min(h, w) < 1 or (top + h > height or left + w > width):
            raise ValueError(
                f'The crop {(top, left, h, w)} is not inside {height} x {width} pixels.'
            )
    pictures = {'ground truth': truth}
    for row in rows:
        fitter = open_fitter(read_fit(folders[row['method']] / FIT))
        decoded = next(pixels_of(fitter, frames=[frame]))
        pictures[f'{row["method"]}  {row["psnr"]:.2f} dB'] = to_rgb8(decoded)
    return draw_grid(pictures, boxes)


def draw_grid(
    pictures: dict[str, np.ndarray], boxes: Sequence[Box], width: int = 384
) -> np.ndarray:
    """Draw pictures side by side with titles, and zoomed parts below each.

    Args:
        pictures (dict[str, np.ndarray]): Title to uint8 RGB, all of one
            size; the boxes are drawn into the first.
        boxes (Sequence[Box]): Top, left, height and width.
        width (int): Width of a column. Defaults to 384.
    """
    import cv2

    columns = []
    colours = ((255, 80, 60), (60, 170, 255), (80, 220, 90))
    parts = max(len(boxes), 1)
    for i, (title, picture) in enumerate(pictures.items()):
        scale = width / picture.shape[1]
        whole_picture = resized(picture, (round(picture.shape[0] * scale), width)).copy()
        head = np.full((28, width, 3), 255, np.uint8)
        cv2.putText(
            head, title, (4, 19), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (20, 20, 20), 1, cv2.LINE_AA
        )
        zoomed = []
        for j, (top, left, h, w) in enumerate(boxes):
            colour = colours[j % len(colours)]
            if i == 0:
                corners = (
                    (np.array([left, top, left + w, top + h]) * scale).round().astype(int).tolist()
                )
                cv2.rectangle(whole_picture, corners[:2], corners[2:], colour, 2)
            side = width // parts
            part = cv2.resize(
                picture[top : top + h, left : left + w],
                (side, side),
                interpolation=cv2.INTER_NEAREST,
            )
            cv2.rectangle(part, (0, 0), (side - 1, side - 1), colour, 2)
            zoomed.append(part)
        column = [head, whole_picture]
        if zoomed:
            strip = np.hstack(zoomed)
            rest = np.full((strip.shape[0], width - strip.shape[1], 3), 255, np.uint8)
            column.append(np.hstack([strip, rest]))
        columns.append(np.vstack(column))
        columns.append(np.full((len(columns[0]), 6, 3), 255, np.uint8))
    return np.hstack(columns[:-1])


def choose_boxes(picture: np.ndarray, number: int = 2) -> list[Box]:
    """Choose square parts with the most detail, that do not overlap.

    Args:
        picture (np.ndarray): uint8 RGB.
        number (int): How many, if there is room. Defaults to 2.
    """
    import cv2

    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    side = max(min(gray.shape) // 4, 1)
    detail = cv2.boxFilter(np.abs(cv2.Laplacian(gray, cv2.CV_32F)), -1, (side, side))
    half = side // 2
    inside = np.full_like(detail, -1)
    rows = slice(half, gray.shape[0] - side + half + 1)
    columns = slice(half, gray.shape[1] - side + half + 1)
    inside[rows, columns] = detail[rows, columns]
    boxes: list[Box] = []
    while len(boxes) < number and inside.max() >= 0:
        y, x = np.unravel_index(inside.argmax(), inside.shape)
        top, left = int(y) - half, int(x) - half
        boxes.append((top, left, side, side))
        inside[max(y - side, 0) : y + side, max(x - side, 0) : x + side] = -1
    return boxes


def make_jobs(input: str, configs: Iterable[str], out: Path, **settings) -> dict[str, FitJob]:
    """Make a job for each config, named after it, in its own folder of ``out``.

    Args:
        input (str): Image, folder of frames or video.
        configs (Iterable[str]): Config files, each with ``+KEY=VALUE`` behind
            it for every entry of it alone that is changed.
        out (Path): Folder of all.
        **settings: Other fields of :class:`FitJob`.

    Returns:
        dict[str, FitJob]: Name of the config, without its ending ``_image`` or
        ``_video`` and with ``-VALUE`` for each change, to job.

    Raises:
        ValueError: If two have the same name, or a change has no ``=``.
    """
    jobs: dict[str, FitJob] = {}
    for row in configs:
        config, *changes = row.split('+')
        wrong = [change for change in changes if '=' not in change]
        if wrong:
            raise ValueError(f'{row}: +{wrong[0]} must be +KEY=VALUE, as in +model.net.arch=mlp.')
        name = Path(config).stem.removesuffix('_image').removesuffix('_video')
        name = '-'.join([name, *(change.partition('=')[2] for change in changes)])
        if name in jobs:
            raise ValueError(
                f'Two configs are called {name}: their fits would share a folder; rename one.'
            )
        # the common options win, as they do over what the files say
        own = {key: yaml.safe_load(value) for key, value in (c.split('=', 1) for c in changes)}
        options = dict(settings, cfg_options={**own, **(settings.get('cfg_options') or {})})
        jobs[name] = FitJob(input, config, work_dir=str(out / name), **options)
    return jobs
