"""The queue of trainings, with processes that do next to nothing."""

import subprocess
import sys
import time
from pathlib import Path

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
