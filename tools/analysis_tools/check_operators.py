"""Try MMDetection's configs with torchvision's operators in place of mmcv's.

One config of each folder, shrunk, is trained for one step and predicts once, on
made images and a CPU: with inrn_mm.ops and, where they are, with mmcv's compiled
operators. The exit status is 1 if one runs with those alone.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich.progress import Progress

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = """examples:
  python tools/analysis_tools/check_operators.py retinanet dyhead
  python tools/analysis_tools/check_operators.py --out docs/operators.md
the traceback of what fails:
  INRN_MMCV_OPS=torchvision python -m tools.studies.mmdet_trials dyhead --limit 300"""
KINDS = ('torchvision', 'compiled')
# titles of what went wrong; what has no title says itself what it is
TITLES = dict(operator='no `{}`', package='needs `{}`', works='works')


def run_folders(
    kind: str, folders: list[str], limit: float, note: Callable[[str, dict], None]
) -> str:
    """Run folders with one kind of operators, in a process of its own.

    Args:
        kind (str): What ``INRN_MMCV_OPS`` is.
        folders (list[str]): Folders of configs.
        limit (float): Seconds for each.
        note (Callable): Gets the kind and what became of each folder.

    Returns:
        str: Why none ran, or nothing.
    """
    env = dict(os.environ, INRN_MMCV_OPS=kind, CUDA_VISIBLE_DEVICES='-1', OMP_NUM_THREADS='1')
    command = [sys.executable, '-m', 'tools.studies.mmdet_trials', *folders]
    with tempfile.TemporaryFile('w+') as errors:
        process = subprocess.Popen(
            [*command, '--limit', str(limit)],
            env=env,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        for line in process.stdout:
            if line.startswith('{'):  # packages print, too
                note(kind, json.loads(line))
        if process.wait() == 0:
            return ''
        errors.seek(0)
        return (errors.read().splitlines() or ['error'])[-1].removeprefix('error: ')


def run_all(
    folders: list[str], limit: float, jobs: int, record: Path | None
) -> list[dict[str, dict] | str]:
    """Run folders with both kinds of operators.

    Args:
        folders (list[str]): Folders of configs.
        limit (float): Seconds for each.
        jobs (int): Processes for each kind.
        record (Path, optional): Gets a line for each; what it has is not run.

    Returns:
        list[dict[str, dict] | str]: For each kind, what became of each folder,
        or why none ran.
    """
    rows: dict[str, dict[str, dict]] = {kind: {} for kind in KINDS}
    if record and record.exists():
        for kind, row in map(json.loads, record.read_text().splitlines()):
            rows[kind][row['folder']] = row
    with Progress(transient=True) as progress, ThreadPoolExecutor(2 * jobs) as pool:
        tasks, running = {}, {}

        def note(kind, row):
            rows[kind][row['folder']] = row
            progress.advance(tasks[kind])
            if record:
                with record.open('a') as file:
                    file.write(json.dumps([kind, row]) + '\n')

        for kind in KINDS:
            left = [name for name in folders if name not in rows[kind]]
            tasks[kind] = progress.add_task(kind, total=len(left))
            parts = [left[i::jobs] for i in range(min(jobs, len(left)))]
            running[kind] = [pool.submit(run_folders, kind, part, limit, note) for part in parts]
        reasons = {kind: [r for f in running[kind] if (r := f.result())] for kind in KINDS}
    return [
        reasons[kind][0] if reasons[kind] else {name: rows[kind][name] for name in folders}
        for kind in KINDS
    ]


def describe(row: dict) -> str:
    """Say in a cell of the table what became of a folder."""
    return TITLES.get(row['status'], '{}').format(row['what'].replace('|', '/'))


def summarize(ours: dict[str, dict], compiled: dict[str, dict] | str) -> str:
    """Count what works.

    Args:
        ours (dict[str, dict]): Rows by folder.
        compiled (dict[str, dict] | str): The same, or why there are none.

    Returns:
        str: A paragraph.
    """
    counts = [sum(row['status'] == s for row in ours.values()) for s in ('works', 'package')]
    text = (
        f'With `inrn_mm.ops` {counts[0]} of {len(ours)} folders work; {counts[1]} need a package '
        'that was not installed.'
    )
    if isinstance(compiled, str):
        return f'{text} Compiled operators did not run: {compiled}'
    theirs = [name for name, row in compiled.items() if row['status'] == 'works']
    both = sum(ours[name]['status'] == 'works' for name in theirs)
    share = f' ({both / len(theirs):.0%})' if theirs else ''
    return f'{text} Of the {len(theirs)} that work with compiled operators {both} do{share}.'


def name_machine() -> str:
    """Name the versions and the processor."""
    found = []
    for name in ('torch', 'torchvision', 'onedl-mmcv', 'mmcv', 'onedl-mmdetection', 'mmdet'):
        try:
            found.append(f'{name} {version(name)}')
        except PackageNotFoundError:  # original or fork
            continue
    return f'Python {platform.python_version()}, {", ".join(found)}; {platform.machine()} CPU.'


def make_table(ours: dict[str, dict], compiled: dict[str, dict] | str) -> str:
    """Write all as markdown.

    Args:
        ours (dict[str, dict]): Rows by folder.
        compiled (dict[str, dict] | str): The same, or why there are none.

    Returns:
        str: Summary, versions and table.
    """
    lines = [summarize(ours, compiled), '', name_machine(), '']
    lines += ['| folder | config | `inrn_mm.ops` | compiled | calls |', '|---|---|---|---|---|']
    for name, row in ours.items():
        other = '' if isinstance(compiled, str) else describe(compiled[name])
        # forward and backward are one operator
        calls = {call.split('_forward')[0].split('_backward')[0] for call in row['operators']}
        cells = [name, row['config'], describe(row), other, ', '.join(sorted(calls))]
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def main() -> None:
    """Run both kinds, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folders', nargs='*', help="of mmdet's configs (default: all)")
    parser.add_argument('--out', type=Path, help='page that gets the table (default: print it)')
    parser.add_argument('--limit', type=float, default=300, help='seconds for each (%(default)s)')
    parser.add_argument('--jobs', type=int, default=1, help='processes for each kind (default: 1)')
    parser.add_argument(
        '--record', type=Path, help='file that gets a line of JSON for each; a second run goes on'
    )
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))  # tools.*
    from tools.studies.markdown_table import write_between
    from tools.studies.mmdet_folders import find_folders

    known = find_folders()
    if unknown := set(args.folders) - set(known):
        parser.error(f"mmdet's configs have no folder {', '.join(sorted(unknown))}.")
    folders = args.folders or list(known)
    ours, compiled = run_all(folders, args.limit, args.jobs, args.record)
    if isinstance(ours, str):
        raise SystemExit(f'error: {ours}')
    table = make_table(ours, compiled)
    if args.out:
        write_between(args.out, Path(__file__).name, table)
    print(summarize(ours, compiled) if args.out else table)
    if not isinstance(compiled, str):
        worse = [n for n in ours if compiled[n]['status'] == 'works' != ours[n]['status']]
        if worse:
            raise SystemExit(f'error: with compiled operators alone: {", ".join(worse)}')


if __name__ == '__main__':
    main()
