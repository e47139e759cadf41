"""A work_dir belongs to one process at a time."""

import signal
import subprocess
import sys

import pytest

from inrn_mm.engine import work_dir
from inrn_mm.engine.work_dir import check_writable, work_dir_lock

HOLD = """
import os, sys, time
from inrn_mm.engine.work_dir import work_dir_lock
with work_dir_lock(sys.argv[1]):
    if os.fork() == 0:  # as a dataloader's worker
        time.sleep(8)
        os._exit(0)
    print('held', flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """A process that holds the folder, with a worker."""
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == 'held\n'
    yield process
    process.kill()
    process.wait()


def test_two_processes_and_a_killed_one(holder, tmp_path, monkeypatch):
    with (
        pytest.raises(RuntimeError, match=rf'in use by process {holder.pid} on .* --work-dir'),
        work_dir_lock(tmp_path),
    ):
        pass
    # a rank of a job whose rank 0 holds it
    with monkeypatch.context() as patch:
        patch.setenv('RANK', '1')
        with work_dir_lock(tmp_path):
            pass
    # its worker lives on, and does not hold it
    holder.send_signal(signal.SIGKILL)
    with work_dir_lock(tmp_path):
        pass


def test_a_file_system_without_locks(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(37, 'No locks available')

    monkeypatch.setattr(work_dir.fcntl, 'lockf', refuse)
    with work_dir_lock(tmp_path):
        pass


def test_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / 'file').touch()
    with pytest.raises(FileExistsError, match='is a file: give a folder by --work-dir'):
        check_writable(tmp_path / 'file')
    with pytest.raises(NotADirectoryError, match='Nothing can be written into'):
        check_writable(tmp_path / 'file' / 'below')

    def refuse(*_, **__):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr('tempfile.TemporaryFile', refuse)
    with (
        pytest.raises(PermissionError, match=r'\(Permission denied\): .* by --out'),
        work_dir_lock(tmp_path, option='--out'),
    ):
        pass
