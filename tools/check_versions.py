"""Run the quick tests (`pytest -m smoke`) with other versions.

Each set of versions gets an environment of its own, made by uv, in which the
tests run; it is deleted afterwards. What is not pinned is the newest that fits.
"""

import argparse
import fnmatch
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs' / 'versions.md'
BEGIN, END = '<!-- check_versions: begin -->', '<!-- check_versions: end -->'
TITLES = ('name', 'Python', 'torch', 'torchvision', 'numpy', 'mm stack', 'operators')
TITLES += ('result', 'set-up, CPU s', 'tests, CPU s')
FREE_GB = 15

# Versions of an environment, printed by its own Python.
ASK = """
import json
from inrn_mm.ops.finder import find_operators
from inrn_mm.utils.collect_env import collect_env
from inrn_mm.utils.machine import describe
print(json.dumps([describe().split(';')[0], find_operators(), collect_env()]))
"""


@dataclass(frozen=True)
class Versions:
    """A set of versions.

    Args:
        name (str): Under which it is asked for.
        python (str): Version of the interpreter.
        packages (tuple[str]): What uv is asked for.
        wheel (str): Pattern of a file in the wheel folder to install as well;
            none by default.
    """

    name: str
    python: str
    packages: tuple[str, ...]
    wheel: str = ''


def forks(name: str, python: str, torch: str = 'torch') -> Versions:
    """Name a set with the maintained forks of the mm stack."""
    return Versions(name, python, ('-e', '.[mm,fit,demo,tests]', torch))


# The last releases of the original publisher, and what they need of others.
ORIGINALS = (
    *('-e', '.[fit,demo,tests]', 'mmengine==0.10.7', 'mmdet==3.3.0', 'mmpretrain==1.2.0'),
    *('torch==2.1.2', 'torchvision==0.16.2', 'numpy<2', 'setuptools<70'),
    *('opencv-python-headless<4.11', 'pycocotools'),
)
MATRIX = (
    forks('torch2.4-py3.10', '3.10', 'torch==2.4.1'),
    forks('torch2.6-py3.12', '3.12', 'torch==2.6.0'),
    forks('torch2.8-py3.11', '3.11', 'torch==2.8.0'),
    forks('torch2.11-py3.11', '3.11', 'torch==2.11.0'),
    forks('torch2.11-py3.13', '3.13', 'torch==2.11.0'),
    *(forks(f'newest-py{python}', python) for python in ('3.10', '3.11', '3.12', '3.13', '3.14')),
    Versions('originals-compiled', '3.11', ORIGINALS, wheel='mmcv-2.1.0-cp311-*.whl'),
    Versions('originals', '3.11', (*ORIGINALS, 'mmcv==2.1.0')),
)


class NotRun(Exception):
    """A set of versions cannot be had here; the message says why."""


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='bash tools/check_versions.sh',
        description=__doc__,
        epilog="example: bash tools/check_versions.sh --only 'newest-*' --write",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--list', action='store_true', help='list the sets of versions and end')
    parser.add_argument(
        '--only',
        metavar='NAME',
        action='append',
        help='run this set; may have wildcards and be given more than once (default: all)',
    )
    parser.add_argument(
        '--dir',
        type=Path,
        default=ROOT / '.versions',
        help='folder for environments and logs (default: .versions); on the file system of '
        "uv's cache, environments share their files with it",
    )
    parser.add_argument('--keep', action='store_true', help='do not delete the environments')
    parser.add_argument(
        '--wheel-dir',
        type=Path,
        default=os.environ.get('INRN_WHEEL_DIR', ROOT.parent / 'shared' / 'wheels'),
        help="folder with built wheels of mmcv (default: the environment's INRN_WHEEL_DIR, "
        'else ../shared/wheels)',
    )
    parser.add_argument(
        '--write', action='store_true', help='put the results into the table of docs/versions.md'
    )
    parser.add_argument(
        'tests',
        nargs='*',
        default=['-m', 'smoke'],
        metavar='PYTEST',
        help='after --, what to run instead: arguments of pytest',
    )
    return parser.parse_args()


def find_uv() -> str:
    """Find uv.

    Raises:
        SystemExit: If there is none.
    """
    places = (os.environ.get('PATH', ''), Path(sys.executable).parent, ROOT / '.venv' / 'bin')
    uv = shutil.which('uv', path=os.pathsep.join(map(str, places)))
    if uv is None:
        raise SystemExit('error: uv is not found: install it, for instance by `pip install uv`.')
    return uv


def make_environ() -> dict[str, str]:
    """Make the variables that all commands run with."""
    environ = dict(os.environ, OMP_NUM_THREADS='1', MPLBACKEND='Agg')
    for name in ('PYTHONPATH', 'VIRTUAL_ENV', 'INRN_MMCV_OPS'):
        environ.pop(name, None)
    if shutil.which('pyenv'):  # whose python3.12 runs only where 3.12 is chosen
        done = subprocess.run(['pyenv', 'versions', '--bare'], capture_output=True, text=True)
        environ['PYENV_VERSION'] = ':'.join(done.stdout.split())
    return environ


def cpu_seconds() -> float:
    """Measure what the commands took so far; other work on the machine does not count."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Check:
    """Run the tests with one set of versions.

    Args:
        versions (Versions): The set.
        args (Namespace): Arguments of the command line.
    """

    def __init__(self, versions: Versions, args: argparse.Namespace) -> None:
        self.versions = versions
        self.args = args
        self.uv = find_uv()
        self.env = args.dir.absolute() / versions.name
        self.python = self.env / 'bin' / 'python'
        self.log = args.dir.absolute() / f'{versions.name}.log'
        self.environ = make_environ()

    def run(self) -> dict[str, str]:
        """Make the environment, run the tests, delete the environment.

        Returns:
            dict[str, str]: Title to cell of the row; and ``machine``.
        """
        row = dict.fromkeys(TITLES, '')
        row.update(name=self.versions.name, Python=self.versions.python)
        try:
            start = cpu_seconds()
            self.set_up()
            made = cpu_seconds()
            row['set-up, CPU s'] = f'{made - start:.0f}'
            row.update(self.ask())
            row['result'] = self.test()
            row['tests, CPU s'] = f'{cpu_seconds() - made:.0f}'
        except NotRun as reason:
            row['result'] = f'not run: {reason}'
        finally:
            if not self.args.keep:
                shutil.rmtree(self.env, ignore_errors=True)
        return row

    def call(self, *command: str | Path) -> subprocess.CompletedProcess:
        """Run a command; what it says goes into the log, too."""
        command = [*map(str, command)]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environ, stdout=-1, stderr=subprocess.STDOUT, text=True
        )
        with self.log.open('a') as log:
            log.write(f'$ {" ".join(command)}\n{done.stdout}\n')
        return done

    def set_up(self) -> None:
        """Make the environment.

        Raises:
            NotRun: If the interpreter or a package is not to be had.
        """
        versions = self.versions
        wheels = []
        if versions.wheel:
            wheels = sorted(self.args.wheel_dir.absolute().rglob(versions.wheel))[:1]
            if not wheels:
                raise NotRun(f'no {versions.wheel} in the wheel folder')
        free = shutil.disk_usage(self.args.dir).free >> 30
        if free < FREE_GB:
            raise NotRun(f'{free} GB are free, {FREE_GB} are needed')
        self.log.unlink(missing_ok=True)
        if self.call(self.uv, 'venv', '--clear', '--python', versions.python, self.env).returncode:
            raise NotRun(f'no Python {versions.python} here')
        # The build of mmcv 2.1.0 imports pkg_resources, which is no longer in
        # setuptools 82.
        constraints = self.args.dir.absolute() / 'build.txt'
        constraints.write_text('setuptools<82\n')
        command = [self.uv, 'pip', 'install', '--python', self.python]
        command += ['--build-constraints', constraints]
        command += ['--override', 'requirements/overrides.txt', 'opencv-python-headless']
        done = self.call(*command, *versions.packages, *wheels)
        if done.returncode:
            raise NotRun(f'uv cannot install it, see {self.log.name}')

    def ask(self) -> dict[str, str]:
        """Ask the environment for its versions."""
        done = self.call(self.python, '-c', ASK)
        if done.returncode:
            return {}
        machine, operators, found = json.loads(done.stdout.splitlines()[-1])
        found = {name: version.split()[0] for name, version in found.items()}
        row = {name: found[name] for name in ('Python', 'torch', 'torchvision', 'numpy')}
        stack = [f'{n} {found[n]}' for n in ('mmengine', 'mmcv', 'mmdet', 'mmpretrain')]
        row['torch'] = row['torch'].split('+')[0]
        row['torchvision'] = row['torchvision'].split('+')[0]
        return dict(row, machine=machine, operators=operators, **{'mm stack': ', '.join(stack)})

    def test(self) -> str:
        """Run the tests.

        Returns:
            str: How many passed, failed and were skipped.
        """
        done = self.call(self.python, '-m', 'pytest', '-q', *self.args.tests)
        counts = re.findall(r'\d+ (?:passed|failed|errors?|skipped)', done.stdout.splitlines()[-1])
        if done.returncode:
            return f'**{", ".join(counts) or "failed"}**'
        return ', '.join(counts)


def make_table(rows: list[dict[str, str]]) -> str:
    """Make a Markdown table."""
    lines = [' | '.join(TITLES), ' | '.join('-' * len(title) for title in TITLES)]
    lines += [' | '.join(row[title] for title in TITLES) for row in rows]
    return '\n'.join(f'| {line} |' for line in lines)


def read_table(text: str) -> dict[str, dict[str, str]]:
    """Read the rows of a table of :func:`make_table`, by name."""
    lines = [line[1:-1] for line in text.splitlines() if line.startswith('|')][2:]
    rows = [dict(zip(TITLES, map(str.strip, line.split('|')))) for line in lines]
    return {row['name']: row for row in rows}


def write_row(page: Path, row: dict[str, str]) -> None:
    """Put a row into the page's table; those of other sets stay.

    Args:
        page (Path): Has the two markers.
        row (dict[str, str]): As of :meth:`Check.run`.
    """
    before, _, rest = page.read_text().partition(BEGIN)
    found, _, after = rest.partition(END)
    machine = f'machine: {row["machine"]}\n' if 'machine' in row else ''
    machine = machine or ''.join(re.findall('^machine: .*\n', found, re.MULTILINE))
    rows = read_table(found) | {row['name']: row}
    table = make_table([rows[v.name] for v in MATRIX if v.name in rows])
    page.write_text(f'{before}{BEGIN}\n{table}\n\n{machine}{END}{after}')


def main() -> None:
    args = parse_args()
    patterns = args.only or ['*']
    for pattern in patterns:
        if not fnmatch.filter([v.name for v in MATRIX], pattern):
            raise SystemExit(f"error: no set of versions is named '{pattern}': see --list.")
    chosen = [v for v in MATRIX if any(fnmatch.fnmatch(v.name, p) for p in patterns)]
    if args.list:
        for versions in chosen:
            pinned = [p for p in versions.packages if '==' in p or '<' in p]
            print(f'{versions.name}: Python {versions.python} {" ".join(pinned)}'.rstrip())
        return
    args.dir.mkdir(parents=True, exist_ok=True)
    failed = []
    for versions in chosen:
        print(f'{versions.name} ...', flush=True)
        row = Check(versions, args).run()
        print('  '.join(filter(None, (row[t] for t in TITLES[1:]))), flush=True)
        if row['result'].startswith('**'):
            failed.append(versions.name)
        if args.write:
            write_row(PAGE, row)
    if failed:
        raise SystemExit(f'error: {", ".join(failed)} failed: see the logs in {args.dir}.')


if __name__ == '__main__':
    main()
