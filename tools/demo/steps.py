"""Steps that run once each, with progress, and go on where they stopped."""

import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from inrn_mm.utils.whole_file import whole_file

from . import worker

STATE_FILE = 'state.json'
# Seconds between two looks at a running step, and between two lines of
# progress where the output is no terminal.
POLL, QUIET = 0.5, 20

# From what a step has printed, the share done and a few words.
Watch = Callable[[str], tuple[float, str]]


class StepFailed(RuntimeError):
    """A step ended with an error; the message says where to read it."""


class Steps:
    """Runs named steps in a work_dir and remembers the finished ones.

    A step runs in a process of its own, forked from one that has torch and
    the mm stack imported already (that takes ten seconds each time), its
    output in ``logs/{name}.log``. ``state.json`` holds what each finished
    step was made from; a step is run again if that has changed, if a product
    is gone, or if a step it depends on was run again.

    Args:
        work_dir (Path): Folder of all products.
        estimates (dict[str, float]): Seconds that each step may take, in
            their order.
        preload (str): Module that imports what the steps need.
            Defaults to ``'tools.demo.preload'``.
    """

    def __init__(
        self, work_dir: Path, estimates: dict[str, float], preload: str = f'{__package__}.preload'
    ) -> None:
        self.work_dir = work_dir
        self.estimates = dict(estimates)
        (work_dir / 'logs').mkdir(parents=True, exist_ok=True)
        self.state = self._read_state()
        self.seconds: dict[str, float] = {}
        self.shown = time.monotonic()
        # What is preloaded asks whether there is a GPU; asked of the driver
        # instead of CUDA, the forked steps can still use it.
        os.environ.setdefault('PYTORCH_NVML_BASED_CUDA_CHECK', '1')
        context = multiprocessing.get_context('forkserver')
        context.set_forkserver_preload([preload])
        self.context = context

    def announce(self) -> None:
        """Say how long all steps may take."""
        say(f'Estimated time: {clock(sum(self.estimates.values()))}, into {self.work_dir}/')

    def run(
        self,
        name: str,
        function: Callable,
        args: Sequence = (),
        made_from: dict | None = None,
        after: Sequence[str] = (),
        products: Sequence[Path] = (),
        clean: Sequence[Path] = (),
        watch: Watch | None = None,
        title: str = '',
    ) -> float:
        """Run a step unless it is finished.

        Args:
            name (str): Name of the step, one of the estimates.
            function (Callable): Module-level function that does the work.
            args (Sequence): Its arguments.
            made_from (dict, optional): What else determines the result, of
                JSON types. Defaults to None.
            after (Sequence[str]): Steps that this one uses the products of.
                Defaults to ().
            products (Sequence[Path]): Files that a finished step has written.
                Defaults to ().
            clean (Sequence[Path]): Removed before the step begins anew, but
                not when it goes on after an interruption. Defaults to ().
            watch (Callable, optional): Tells from the step's output which
                share is done, and a few words. Defaults to None.
            title (str): Shown to the user. Defaults to '', the name.

        Returns:
            float: Seconds it took, those before an interruption included.

        Raises:
            StepFailed: If the step ended with an error.
        """
        key = self._key(name, made_from, after)
        entry = self.state.get(name, {})
        number = f'[{list(self.estimates).index(name) + 1}/{len(self.estimates)}] {title or name}'
        same = entry.get('key') == key
        if same and entry.get('done') and _all_exist(products):
            seconds = entry['seconds']
            say(f'{number}: already done ({clock(seconds)})')
        else:
            interrupted = same and not entry.get('done')
            before = entry.get('seconds', 0.0) if interrupted else 0.0
            if not interrupted:
                for path in (self._log(name), *clean):
                    _remove(path)
            self._remember(name, key, before, done=False)
            process = self.context.Process(
                target=worker.call, args=(self._log(name), function, args), name=name
            )
            seconds, done = self._follow(process, number, watch, key, before, products)
            if not done:
                raise StepFailed(_explain(number, self._log(name), process.exitcode))
            show(f'{number}: {clock(seconds)}', last=True)
        self.seconds[name] = seconds
        return seconds

    def _log(self, name: str) -> Path:
        return self.work_dir / 'logs' / f'{name}.log'

    def _follow(
        self,
        process: multiprocessing.Process,
        number: str,
        watch: Watch | None,
        key: str,
        before: float,
        products: Sequence[Path],
    ) -> tuple[float, bool]:
        """Run a step's process to its end, show its progress and remember both."""
        name, log = process.name, self._log(process.name)
        known = log.stat().st_size if log.exists() else 0
        start = time.monotonic()
        process.start()
        try:
            while process.is_alive():
                process.join(POLL)
                self._progress(number, name, watch, log, known, start)
        finally:
            seconds = before + time.monotonic() - start
            if process.is_alive():
                process.terminate()
                process.join()
            done = process.exitcode == 0 and _all_exist(products)
            self._remember(name, key, seconds, done)
        return seconds, done

    def report(self, write: Callable, *args, made_from: dict, after: Sequence[str]) -> Path:
        """Run the step ``report``, which writes ``report.html``.

        Args:
            write (Callable): Gets the work_dir, ``args`` and the seconds that
                each step before took.
            *args: What else it is called with.
            made_from (dict): See :meth:`run`.
            after (Sequence[str]): See :meth:`run`.

        Returns:
            Path: The report.

        Raises:
            StepFailed: If it could not be written.
        """
        path = self.work_dir / 'report.html'
        self.run(
            'report',
            write,
            (self.work_dir, *args, dict(self.seconds)),
            made_from=made_from,
            after=after,
            products=[path],
            title='write the report',
        )
        return path

    def left(self, name: str, share: float = 0.0) -> float:
        """Estimate the seconds from this share of a step to the end.

        Args:
            name (str): Name of the step.
            share (float): Share of it that is done. Defaults to 0.

        Returns:
            float: Seconds.
        """
        names = list(self.estimates)
        rest = sum(self.estimates[n] for n in names[names.index(name) :])
        return rest - share * self.estimates[name]

    def _progress(
        self, number: str, name: str, watch: Watch | None, log: Path, known: int, start: float
    ) -> None:
        """Show how far a step is; ``known`` bytes of its log are old."""
        now = time.monotonic()
        if now - self.shown < (0 if sys.stdout.isatty() else QUIET):
            return
        self.shown = now
        share, words = 0.0, ''
        if watch and log.exists():
            with open(log, errors='replace') as file:
                file.seek(known)
                share, words = watch(file.read())
            words = f' {share:4.0%} {words},'
        if share > 0.1:  # by now the step's own pace is known better
            self.estimates[name] = (now - start) / share
        else:
            self.estimates[name] = max(self.estimates[name], now - start)
        left = clock(max(self.left(name, share), 0))
        show(f'{number}:{words} {clock(now - start)}, about {left} to the end')

    def _key(self, name: str, made_from: dict | None, after: Sequence[str]) -> str:
        """Compute the fingerprint of a step and of those before it."""
        content = [
            name,
            made_from or {},
            [self.state[n]['key'] for n in after],
            [self.state[n].get('run') for n in after],
        ]
        return hashlib.sha256(
            json.dumps(content, sort_keys=True, default=str).encode()
        ).hexdigest()[:16]

    def _remember(self, name: str, key: str, seconds: float, done: bool) -> None:
        entry = dict(key=key, seconds=round(seconds, 1), done=done)
        if done:  # tells those after it that this is another run
            entry['run'] = time.time()
        self.state[name] = entry
        with whole_file(self.work_dir / STATE_FILE) as part:
            part.write_text(json.dumps(self.state, indent=1))

    def _read_state(self) -> dict:
        try:
            return json.loads((self.work_dir / STATE_FILE).read_text())
        except (FileNotFoundError, ValueError):
            return {}


def _all_exist(paths: Sequence[Path]) -> bool:
    return all(Path(path).exists() for path in paths)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _explain(number: str, log: Path, exitcode: int | None) -> str:
    """Make a sentence with the last words of a failed step."""
    lines: list[str] = []
    if log.exists():
        lines = log.read_text(errors='replace').split('\n')
    words = next((line for line in reversed(lines) if line.strip()), f'exit code {exitcode}')
    return f'{number} failed: {words.strip()} (all of it in {log})'


def clock(seconds: float) -> str:
    """Format seconds: '42 s', '3 min 05 s'."""
    minutes, rest = divmod(round(seconds), 60)
    return f'{minutes} min {rest:02d} s' if minutes else f'{rest} s'


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)


def show(text: str, last: bool = False) -> None:
    """Print a line that on a terminal the next one replaces.

    Args:
        text (str): The line; cut to the terminal's width.
        last (bool): Let it stay. Defaults to False.
    """
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        end = '\n' if last else ''
        print(f'\r\033[K{text[:width]}', end=end, flush=True)
    else:
        say(text)
