"""The files that a comparison of trainings leaves: tables, a picture and one JSON."""

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from mmengine.config import Config

from inrn_mm.utils.logs import read_metrics, read_scalars
from inrn_mm.utils.whole_file import whole_file

from .comparison_plot import draw
from .training_comparison import markdown, summarize, write_csv

ROOT = Path(__file__).parents[2]
TEACHER = 'teacher'  # folder in --out of the teacher's own test
PREDICTIONS = 'predictions'  # prefix in each run's folder; CocoMetric adds .bbox.json


def write_report(args: argparse.Namespace, runs: Sequence[dict], plan: dict) -> str:
    """Write ``table.md``, ``table.csv``, ``table.png`` and ``results.json``.

    What ``tools/test.py`` has measured of the teacher into ``out``/teacher is told, too.

    Args:
        args (Namespace): Arguments of the tool: ``out``, ``metric``, ``baseline``,
            ``published``, ``gain`` and ``bootstrap``.
        runs (Sequence[dict]): Results of
            :func:`~tools.studies.training_comparison.read_run`, at least one,
            with ``folder``.
        plan (dict): What was fixed before, see
            :func:`~tools.studies.comparison_plan.fix_plan`.

    Returns:
        str: The table.
    """
    halved = dict(stopped=plan.get('stopped'), choosing_seeds=tuple(plan.get('choosing_seeds', ())))
    rows = summarize(runs, args.metric, args.baseline, args.published, args.gain, **halved)
    images = compare_images(runs, args.baseline, args.bootstrap) if args.bootstrap else []
    teacher = read_metrics(args.out / TEACHER).get(args.metric[0])
    table = write_table(rows, runs, plan, images, teacher)
    (args.out / 'table.md').write_text(table)
    write_csv(rows, args.out / 'table.csv')
    draw(rows, args.out / 'table.png', args.gain)
    result = dict(
        command=shorten(['python', *sys.argv]),
        commit=_commit(),
        versions=_versions(),
        plan=plan,
        teacher=teacher,
        rows=rows,
        images=images,
        runs=[_describe(run, args.metric) for run in runs],
    )
    with whole_file(args.out / 'results.json') as part:
        part.write_text(json.dumps(result, indent=1) + '\n')
    return table


def write_table(
    rows: Sequence[dict],
    runs: Sequence[dict],
    plan: dict,
    images: Sequence[dict],
    teacher: float | None = None,
) -> str:
    """Write all that a comparison says as Markdown.

    Args:
        rows (Sequence[dict]): Rows of
            :func:`~tools.studies.training_comparison.summarize`.
        runs (Sequence[dict]): Runs, with ``machine``, ``options`` and ``memory_of``.
        plan (dict): What was fixed before.
        images (Sequence[dict]): Results of :func:`compare_images`.
        teacher (float, optional): The first metric of the teacher, where
            ``tools/test.py --work-dir OUT/teacher`` has measured it. Defaults to None.

    Returns:
        str: A table and paragraphs.
    """
    table = markdown(rows, runs, plan['gain'])
    first = next((row for row in rows if row['method'] == plan['baseline']), None)
    if teacher is not None and first is not None:
        ahead = teacher - first['metrics'][plan['metric']]['mean']
        table += (
            f'\nThe teacher has {teacher:.4g} ({plan["metric"]}), {ahead:+.3g} to the mean of the '
            'student alone.\n'
        )
    table += image_table(images)
    if plan['late_seeds']:
        table += (
            f'\nThe seeds {", ".join(map(str, plan["late_seeds"]))} were added after others had '
            'ended: had the result decided whether to add them, the interval would be too narrow.\n'
        )
    if plan.get('stopped'):
        names = ', '.join(f'{name} after {count}' for name, count in plan['stopped'].items())
        table += (
            f'\nSuccessive halving stopped {names} seeds. The seeds '
            f'{", ".join(map(str, plan["choosing_seeds"]))} chose the others, whose differences '
            'are of the seeds since.\n'
        )
    return table


def compare_images(runs: Sequence[dict], baseline: str | None, samples: int) -> list[dict]:
    """Draw images anew for each pair of checkpoints of one seed.

    Args:
        runs (Sequence[dict]): As in :func:`write_report`; those without a file
            of detections are left out.
        baseline (str, optional): The method that others are compared with.
        samples (int): Number of sets of images.

    Returns:
        list[dict]: Results of
        :func:`~tools.studies.image_bootstrap.compare_detections` with
        ``method`` and ``seed``.
    """
    files = {(run['method'], run['seed']): _predictions(run['folder']) for run in runs}
    found = []
    for (method, seed), new in files.items():
        old = files.get((str(baseline), seed))
        if method != baseline and new and old:
            result = _compare(*new, old[1], samples)
            found.append(dict(method=method, seed=seed, **result))
    return found


@cache
def _compare(truth: Path, new: Path, old: Path, samples: int) -> dict:
    """Compare once for all reports: finished runs keep their files."""
    from .image_bootstrap import compare_detections  # needs pycocotools

    return compare_detections(truth, new, old, samples)


def _predictions(folder: Path) -> tuple[Path, Path] | None:
    """Find the boxes of the images and the detections; None if there are none."""
    truth, boxes = (folder / f'{PREDICTIONS}.{kind}.json' for kind in ('gt', 'bbox'))
    if not boxes.is_file():
        return None
    if not truth.is_file():  # it is only written for sets without a file of COCO's
        truth = Path(Config.fromfile(_config(folder)).val_evaluator.ann_file)
    return truth, boxes


def _config(folder: Path) -> Path:
    """Find the config that a run has written into its work_dir."""
    return next(iter(sorted(folder.glob('*.py'))), folder / '-')


def image_table(images: Sequence[dict]) -> str:
    """Write the differences over images as Markdown.

    Args:
        images (Sequence[dict]): Results of :func:`compare_images`.

    Returns:
        str: A paragraph and lines, or nothing.
    """
    if not images:
        return ''
    first = images[0]
    lines = [
        f'\nBox AP of each pair on {first["images"]} images, drawn anew {first["samples"]} times '
        'with replacement (95 % of the sets): what other images, not other seeds, would give.\n'
    ]
    for each in images:
        ends = f'[{each["low"]:+.3g}, {each["high"]:+.3g}]'
        lines.append(f'- {each["method"]}, seed {each["seed"]}: {each["difference"]:+.3g} {ends}')
    return '\n'.join(lines) + '\n'


def shorten(command: Sequence[str]) -> str:
    """Write a command as one line that does not depend on this machine's folders.

    Args:
        command (Sequence[str]): Its parts.

    Returns:
        str: Quoted for a shell; paths below the repository are relative to it.
    """
    parts = ['python' if part == sys.executable else part for part in map(str, command)]
    return shlex.join(part.replace(f'{ROOT}/', '') for part in parts)


def file_digest(path: Path) -> str | None:
    """Compute the SHA-256 of a file.

    Args:
        path (Path): The file.

    Returns:
        str | None: Hexadecimal; None if there is no such file.
    """
    if not path.is_file():
        return None
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _describe(run: dict, metrics: Sequence[str]) -> dict[str, Any]:
    """Describe a run so that another could be compared with it."""
    folder = run['folder']
    last = folder / 'last_checkpoint'
    checkpoint = folder / Path(last.read_text().strip()).name if last.is_file() else folder / '-'
    _, val = read_scalars(folder)
    curve = [{key: line[key] for key in ('iter', 'step', *metrics) if key in line} for line in val]
    known = {key: value for key, value in run.items() if key not in ('folder', 'config')}
    return dict(
        known,
        command=shorten(run.get('command', [])),
        config_sha256=file_digest(_config(folder)),
        checkpoint=checkpoint.name,
        checkpoint_sha256=file_digest(checkpoint),
        curve=curve,
    )


def _commit() -> str | None:
    """Name the last commit that changed the library; None outside of a repository."""
    git = ['git', '-C', str(ROOT)]
    try:
        log, status = (
            subprocess.run([*git, *command, 'inrn_mm'], capture_output=True, text=True, check=True)
            for command in (['log', '-1', '--format=%H', '--'], ['status', '--porcelain', '--'])
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return log.stdout.strip()[:12] + ' and changes' * bool(status.stdout)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    from inrn_mm.version import __version__

    return {'inrn_mm': __version__, **{name: version(name) for name in ('torch', 'numpy', 'scipy')}}
