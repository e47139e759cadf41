"""A queue of trainings, each a process of its own, that can be stopped."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from inrn_mm.utils.machine import describe
from inrn_mm.utils.whole_file import whole_file

RECORD = 'run.json'  # in each run's folder
LOG = 'train.log'  # beside it: what the process prints
POLL = 0.2  # seconds between two looks at the running ones
GRACE = 30  # seconds that a run has to end when it is told to
# looked up here: between fork and exec little may be done
PRCTL = ctypes.CDLL(None).prctl if sys.platform == 'linux' else None
PR_SET_PDEATHSIG = 1


@dataclass
class Run:
    """A training to be done: a config with a seed.

    Args:
        config (Path): The config file.
        seed (int): Seed of the training.
        options (list[str]): ``KEY=VALUE`` that the config is changed by.
        folder (Path): The work_dir, of this run alone.
        command (list[str]): The command line that trains, or goes on with
            what is in ``folder``. The seed and the options must be in it.
            Defaults to an empty list, for runs that are only read.
        method (str): The name in the table. Defaults to ``''``, the config's.
    """

    config: Path
    seed: int
    options: list[str]
    folder: Path
    command: list[str] = field(default_factory=list)
    method: str = ''

    def __post_init__(self) -> None:
        self.method = self.method or self.config.stem

    def __str__(self) -> str:
        return f'{self.method}, seed {self.seed}'

    def read_record(self) -> dict:
        """Read what is known of the run; make a new record if it was never started.

        Returns:
            dict: ``config``, ``seed``, ``options``, ``method``, ``finished``
            (bool), ``seconds`` (of all its processes), ``peak_rss`` (MB of
            the largest process), and ``machine`` once it was started.

        Raises:
            ValueError: If it was started with other settings.
        """
        path = self.folder / RECORD
        made_from = dict(config=str(self.config), seed=self.seed, options=self.options)
        if not path.is_file():
            return dict(made_from, method=self.method, finished=False, seconds=0, peak_rss=0)
        record = json.loads(path.read_text())
        for key, value in made_from.items():
            if record[key] != value:
                raise ValueError(
                    f'{self.folder} was started with {key} {record[key]}, not '
                    f'{value}: use the same, or another folder by --out.'
                )
        return record

    def last_words(self) -> str:
        """Read the last line that the run's process printed."""
        return ''.join((self.folder / LOG).read_text().strip().splitlines()[-1:])

    def write_record(self, record: dict) -> None:
        """Write what is known of the run.

        Args:
            record (dict): What :meth:`read_record` gave, with more in it.
        """
        with whole_file(self.folder / RECORD) as part:
            part.write_text(json.dumps(record, indent=1) + '\n')


def places(jobs: int | None) -> list[dict[str, str]]:
    """Choose a GPU or a share of the cores for each of the runs beside each other.

    Args:
        jobs (int, optional): Runs on each GPU, or on the CPU; None is one run
            at a time, with all that there is.

    Returns:
        list[dict[str, str]]: Environment variables, for one run each.
    """
    if jobs is None:
        return [{}]
    if torch.cuda.is_available():
        names = os.environ.get('CUDA_VISIBLE_DEVICES') or ','.join(
            map(str, range(torch.cuda.device_count()))
        )
        return [dict(CUDA_VISIBLE_DEVICES=i) for i in names.split(',')] * jobs
    threads = max(len(os.sched_getaffinity(0)) // jobs, 1)
    return [dict(OMP_NUM_THREADS=str(threads))] * jobs


def train_all(
    runs: Sequence[Run],
    jobs: int | None = None,
    max_minutes: float | None = None,
    on_end: Callable[[], object] = lambda: None,
) -> tuple[int, bool]:
    """Train what is not yet trained, in the order given.

    Finished runs are left alone and interrupted ones go on. However this
    function ends, no process is left running; what the runs have saved stays.
    On Linux that is so even if this process is killed; elsewhere the lock of
    a run's work_dir keeps it from being started beside itself.

    Args:
        runs (Sequence[Run]): Runs with different folders.
        jobs (int, optional): See :func:`places`. Defaults to None.
        max_minutes (float, optional): Stop after this time.
            Defaults to None: no limit.
        on_end (Callable): Called each time a run has ended.
            Defaults to nothing.

    Returns:
        tuple[int, bool]: How many runs failed, and whether time was up.

    Raises:
        ValueError: If a run was started before with other settings.
    """
    waiting = list(runs)
    free = places(jobs)
    running: list[_Process] = []
    failed = 0
    minutes = float('inf') if max_minutes is None else max_minutes
    deadline = time.monotonic() + 60 * minutes
    try:
        while waiting or running:
            if time.monotonic() > deadline:
                _stop(running)
                return failed, True
            while waiting and free:
                process = _start(waiting.pop(0), free[0])
                if process:
                    running.append(process)
                    free.pop(0)
            for process in list(running):
                if not process.ended():
                    continue
                running.remove(process)
                free.append(process.place)
                run = process.run
                if not process.record['finished']:
                    failed += 1
                    print(f'{run}: FAILED, {run.last_words()}')
                on_end()
                print(f'{run}: ended; {len(running)} running, {len(waiting)} waiting', flush=True)
            if running:
                time.sleep(POLL)
    except BaseException:
        _stop(running)
        raise
    return failed, False


@dataclass
class _Process:
    """A run in progress."""

    run: Run
    record: dict
    # held until it has ended: one let go is waited for by the next Popen
    popen: subprocess.Popen
    place: dict[str, str]
    begin: float  # time.monotonic()

    def ended(self) -> bool:
        """Tell whether it has ended; then its record is written."""
        if self.popen.returncode is not None:
            return True
        # Popen's own wait does not tell the memory
        pid, status, usage = os.wait4(self.popen.pid, os.WNOHANG)
        if not pid:
            return False
        self.popen.returncode = os.waitstatus_to_exitcode(status)
        record = self.record
        record['seconds'] += time.monotonic() - self.begin
        record['peak_rss'] = max(record['peak_rss'], usage.ru_maxrss / 1024)
        record['finished'] = self.popen.returncode == 0
        self.run.write_record(record)
        return True


def _start(run: Run, place: dict[str, str]) -> _Process | None:
    """Start a run, or go on with it; None if it is finished."""
    record = run.read_record()
    if record['finished']:
        print(f'{run}: done before')
        return None
    print(f'{run}: training, output in {run.folder}/{LOG}', flush=True)
    run.folder.mkdir(parents=True, exist_ok=True)
    record['machine'] = _machine()
    run.write_record(record)
    with open(run.folder / LOG, 'a') as log:
        popen = subprocess.Popen(
            run.command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, **place),
            start_new_session=True,  # to be stopped with its children
            preexec_fn=partial(_end_with, os.getpid()),
        )
    return _Process(run, record, popen, place, time.monotonic())


def _end_with(parent: int) -> None:
    """Let this process be told to end when its parent is killed. Not killed
    itself: the launcher of a distributed run then ends the others."""
    if PRCTL is not None:
        PRCTL(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it was before the call
            os._exit(1)


def _stop(running: Sequence[_Process]) -> None:
    """End the runs; what they have saved stays."""
    running = [process for process in running if not process.ended()]
    for process in running:
        os.killpg(process.popen.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    for process in running:
        while not process.ended():
            if time.monotonic() > deadline:
                os.killpg(process.popen.pid, signal.SIGKILL)
            time.sleep(POLL)


def _machine() -> str:
    """Describe all that the runs may use."""
    if torch.cuda.is_available():
        return f'{torch.cuda.device_count()} x {describe("cuda")}'
    return describe()
