"""The queue of trainings, with processes that do next to nothing."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from tool_runs import ROOT

from tools.studies import training_runs as queue
from tools.studies.training_runs import Run, train_all


def make_run(tmp_path, name: str, code: str = 'pass') -> Run:
    return Run(Path(f'{name}.py'), 0, [], tmp_path / name, [sys.executable, '-c', code])


def test_failures_are_counted_and_finished_runs_left_alone(tmp_path, capsys):
    runs = [
        make_run(tmp_path, 'good', 'print("trained")'),
        make_run(tmp_path, 'bad', 'raise SystemExit("no data")'),
    ]
    assert train_all(runs, jobs=2) == (1, False)
    assert 'bad, seed 0: FAILED, no data' in capsys.readouterr().out
    assert [run.read_record()['finished'] for run in runs] == [True, False]
    assert train_all(runs[:1]) == (0, False)
    assert 'good, seed 0: done before' in capsys.readouterr().out
    assert (runs[0].folder / 'train.log').read_text() == 'trained\n'


def test_a_process_that_ended_is_not_lost_to_the_next_one(tmp_path):
    """Popen waits for those that were let go, and takes what they left."""
    run = make_run(tmp_path, 'short')
    process = queue._start(run, {})
    deadline = time.monotonic() + 20
    while not zombie(process.popen.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    subprocess.run([sys.executable, '-c', 'pass'], check=True)
    assert process.ended() and process.ended()
    assert run.read_record()['finished']
    queue._stop([process])  # nothing left to signal


def zombie(pid: int) -> bool:
    stat = Path(f'/proc/{pid}/stat').read_text()
    return stat.rsplit(')', 1)[-1].split()[0] == 'Z'


def test_time_up_ends_what_runs(tmp_path):
    run = make_run(tmp_path, 'long', 'import time; time.sleep(60)')
    begin = time.monotonic()
    assert train_all([run], max_minutes=0.02) == (0, True)
    assert time.monotonic() - begin < 30
    assert not run.read_record()['finished']


KILLED = """
import sys
from pathlib import Path
from tools.studies.training_runs import Run, train_all
code = 'import os, time; print(os.getpid(), flush=True); time.sleep(60)'
train_all([Run(Path('a.py'), 0, [], Path(sys.argv[1]), [sys.executable, '-c', code])])
"""


@pytest.mark.skipif(sys.platform != 'linux', reason='needs prctl')
def test_trainings_end_with_a_killed_comparison(tmp_path):
    """Else the same command starts them beside themselves."""
    parent = subprocess.Popen([sys.executable, '-c', KILLED, str(tmp_path)], cwd=ROOT)
    log = tmp_path / 'train.log'
    while not (log.is_file() and log.read_text()):
        assert parent.poll() is None
        time.sleep(0.05)
    child = int(log.read_text())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while Path(f'/proc/{child}').exists() and not zombie(child):
        assert time.monotonic() < deadline
        time.sleep(0.05)
