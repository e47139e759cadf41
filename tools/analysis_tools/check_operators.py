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
BEGIN, END = '<!-- check_operators.py: begin -->', '<!-- check_operators.py: end -->'
# titles of what went wrong; what has no title says itself what it is
TITLES = dict(operator='no `{}`', package='needs `{}`', works='works')


def run_folders(
    kind: str, folders: list[str], limit: float, advance: Callable[[], None]
) -> dict[str, dict] | str:
    """Run folders with one kind of operators, in a process of its own.

    Args:
        kind (str): What ``INRN_MMCV_OPS`` is.
        folders (list[str]): Of configs.
        limit (float): Seconds for each.
        advance (Callable): Called after each.

    Returns:
        dict[str, dict] | str: What became of each folder, or why none ran.
    """
    rows = {}
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
                row = json.loads(line)
                rows[row['folder']] = row
                advance()
        if process.wait() == 0:
            return rows
        errors.seek(0)
        return (errors.read().splitlines() or ['error'])[-1].removeprefix('error: ')


def run_all(folders: list[str], limit: float, jobs: int) -> list[dict[str, dict] | str]:
    """Run folders with both kinds of operators.

    Args:
        folders (list[str]): Of configs.
        limit (float): Seconds for each.
        jobs (int): Processes for each kind.

    Returns:
        list[dict[str, dict] | str]: See :func:`run_folders`; for each kind.
    """
    parts = [folders[i::jobs] for i in range(min(jobs, len(folders)))]
    with Progress(transient=True) as progress, ThreadPoolExecutor(2 * jobs) as pool:
        tasks = {kind: progress.add_task(kind, total=len(folders)) for kind in KINDS}

        def run(kind, part):
            return run_folders(kind, part, limit, lambda: progress.advance(tasks[kind]))

        running = {kind: [pool.submit(run, kind, part) for part in parts] for kind in KINDS}
        found = [[future.result() for future in running[kind]] for kind in KINDS]
    merged = []
    for results in found:
        reasons = [result for result in results if isinstance(result, str)]
        rows = {} if reasons else {k: v for result in results for k, v in result.items()}
        merged.append(reasons[0] if reasons else {name: rows[name] for name in folders})
    return merged


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


def write(page: Path, text: str) -> None:
    """Put a table between the marks of a page.

    Args:
        page (Path): Written.
        text (str): The table.

    Raises:
        SystemExit: If the page has no marks.
    """
    old = page.read_text() if page.exists() else f'{BEGIN}\n{END}\n'
    if BEGIN not in old or END not in old:
        raise SystemExit(f'error: {page} has no lines {BEGIN} and {END} to write between.')
    before, after = old.split(BEGIN)[0], old.split(END)[1]
    page.write_text(f'{before}{BEGIN}\n{text}\n{END}{after}')


def main() -> None:
    """Run both kinds, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('folders', nargs='*', help="of mmdet's configs (default: all)")
    parser.add_argument('--out', type=Path, help='page that gets the table (default: print it)')
    parser.add_argument('--limit', type=float, default=300, help='seconds for each (%(default)s)')
    parser.add_argument('--jobs', type=int, default=1, help='processes for each kind (default: 1)')
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))  # tools.*
    from tools.studies.mmdet_folders import find_folders

    known = find_folders()
    if unknown := set(args.folders) - set(known):
        parser.error(f"mmdet's configs have no folder {', '.join(sorted(unknown))}.")
    folders = args.folders or list(known)
    ours, compiled = run_all(folders, args.limit, args.jobs)
    if isinstance(ours, str):
        raise SystemExit(f'error: {ours}')
    table = make_table(ours, compiled)
    if args.out:
        write(args.out, table)
    print(summarize(ours, compiled) if args.out else table)
    if not isinstance(compiled, str):
        worse = [n for n in ours if compiled[n]['status'] == 'works' != ours[n]['status']]
        if worse:
            raise SystemExit(f'error: with compiled operators alone: {", ".join(worse)}')


if __name__ == '__main__':
    main()
