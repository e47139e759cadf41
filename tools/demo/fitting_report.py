"""The page that the fitting demo ends with."""

import json
from pathlib import Path

import cv2

from inrn_mm.fitting.plots import FULL_ERROR
from inrn_mm.visualization.curves import plot_curves
from tools.studies.fit_comparison import choose_boxes, draw_grid

from .options import DemoOptions
from .page import ReportPage
from .report import QUICK, add_times
from .steps import clock


def write_report(
    work_dir: Path,
    titles: dict[str, str],
    options: DemoOptions,
    commands: dict[str, list[str]],
    estimated: dict[str, float],
    seconds: dict[str, float],
) -> None:
    """Write ``report.html`` from what the steps have left.

    Args:
        work_dir (Path): The demo's folder.
        titles (dict[str, str]): Method to its title; each has a folder.
        options (DemoOptions): What was run.
        commands (dict[str, list[str]]): The command of each fit.
        estimated (dict[str, float]): Seconds estimated for each step.
        seconds (dict[str, float]): Seconds that each step took.
    """
    results = {
        title: json.loads((work_dir / name / 'metrics.json').read_text())
        for name, title in titles.items()
    }
    best = max(results, key=lambda title: results[title]['psnr'])
    page = ReportPage(
        'A photograph in the weights of a network',
        'Networks learn to map the coordinates of pixels to colours; the '
        'weights are then written as a file that decodes at any size (Sec. '
        '2.3 of the paper, Eq. 1). All have about as many parameters and '
        'trained for the same time.' + (QUICK if options.quick else ''),
        facts={
            **{f'PSNR of {title}': f'{result["psnr"]:.2f} dB' for title, result in results.items()},
            'time in all': clock(sum(seconds.values())),
        },
    )
    add_results(page, results, best)
    add_pictures(page, work_dir, titles, results)
    page.section('Training')
    page.figure(
        plot_curves(
            {'PSNR (dB)': {title: r['curve'] for title, r in results.items()}},
            'seconds of training',
        ),
        'Before compression.',
    )
    add_times(page, estimated, seconds)
    folder = work_dir / next(name for name, title in titles.items() if title == best)
    add_commands(page, folder / 'fit.inrn', commands[next(iter(titles))])
    page.write(work_dir / 'report.html')


def add_results(page: ReportPage, results: dict[str, dict], best: str) -> None:
    """Add the table of quality and size.

    Args:
        page (ReportPage): The page.
        results (dict[str, dict]): Title of each method to its ``metrics.json``.
        best (str): Title of the one with the highest PSNR.
    """
    page.section('Results', 'Quality is that of the picture which the compact file decodes to.')
    page.table(
        ['', 'PSNR (dB)', 'SSIM', 'parameters', 'steps', 'training', 'file'],
        [
            [
                title,
                f'{r["psnr"]:.2f}',
                f'{r["ssim"]:.4f}',
                f'{r["parameters"]:,}',
                f'{r["iterations"]:,}',
                f'{r["encode_seconds"]:.1f} s',
                f'{r["bytes"]:,} bytes',
            ]
            for title, r in results.items()
        ],
        best=[(list(results).index(best), 1)],
        caption='Files: 8 bits a weight and entropy coding, all of the file counted.',
    )


def add_pictures(
    page: ReportPage, work_dir: Path, titles: dict[str, str], results: dict[str, dict]
) -> None:
    """Add the photograph beside the fits, and the fits' errors.

    Args:
        page (ReportPage): The page.
        work_dir (Path): The demo's folder.
        titles (dict[str, str]): Method to its title; each has a folder.
        results (dict[str, dict]): Title to ``metrics.json``.
    """
    pictures = {'ground truth': cv2.imread(str(work_dir / 'photo.png'))}
    for name, title in titles.items():
        pictures[f'{title}  {results[title]["psnr"]:.2f} dB'] = cv2.imread(
            str(work_dir / name / 'fitted.png')
        )
    boxes = choose_boxes(pictures['ground truth'][..., ::-1])
    page.section('Pictures')
    page.pictures(
        ['ground truth, then each method'],
        [[draw_grid(pictures, boxes, width=256)]],
        'As the top row of Fig. 2, with two parts enlarged.',
    )
    page.pictures(
        list(titles.values()),
        [[cv2.imread(str(work_dir / name / 'error.png')) for name in titles]],
        'Mean absolute error of each pixel, from black (none) to bright '
        f'({FULL_ERROR:.0%} of the range, and more).',
    )


def add_commands(page: ReportPage, file: Path, command: list[str]) -> None:
    """Say what to do next.

    Args:
        page (ReportPage): The page.
        file (Path): The best fit's compact file.
        command (list[str]): What was run for the first method.
    """
    page.section('Go on')
    page.commands(
        [
            (
                'Decode the best one four times as large',
                f'python tools/decode.py {file} large.png --size 512 512',
            ),
            ('Fit a picture of your own', 'python tools/fit_image.py photo.png --max-seconds 60'),
            ('What was run here', ' '.join(command)),
        ]
    )
