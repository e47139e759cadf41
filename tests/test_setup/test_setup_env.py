"""The set-up script, short of installing anything."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def setup_env(*args, **env):
    """Run the script; return its exit status, output and errors."""
    done = subprocess.run(
        ['bash', ROOT / 'tools' / 'setup_env.sh', *args],
        env=dict(os.environ, **env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def fake_python(tmp_path):
    """A maker of interpreters that answer as told."""

    def make(script: str) -> str:
        file = tmp_path / 'python'
        file.write_text(f'#!/bin/sh\n{script}\n')
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return str(file)

    return make


@pytest.fixture
def free_disk(tmp_path):
    """A maker of PATHs on which the disk has so many GB free."""

    def make(gigabytes: int) -> str:
        df = tmp_path / 'bin' / 'df'
        df.parent.mkdir()
        df.write_text(f'#!/bin/sh\necho head\necho disk 9 9 {gigabytes * 2**20} 9% /\n')
        df.chmod(0o755)
        return f'{df.parent}:{os.environ["PATH"]}'

    return make


def test_help_shows_an_example():
    status, out, _ = setup_env('--help')
    assert status == 0
    assert 'example: bash tools/setup_env.sh' in out


@pytest.mark.parametrize(
    'args, message',
    [
        (['--gpu'], "unknown option '--gpu'"),
        (['--python'], '--python needs a value'),
        (['--python', 'no-such-python'], "there is no 'no-such-python'"),
        (['--wheel-dir', 'no/such/dir'], "'no/such/dir' does not exist"),
        (['--no-venv', '--venv', 'x'], 'exclude each other'),
        (['--run'], '--run needs arguments'),
    ],
)
def test_bad_options_get_one_sentence(args, message, tmp_path):
    status, out, err = setup_env(*args, INRN_WHEEL_DIR='')
    assert status == 1
    assert message in err
    assert err.startswith('error: ') and err.count('\n') == 1
    assert not out


def test_old_python_gets_one_sentence(fake_python):
    python = fake_python('if [ "$1" = --version ]; then echo Python 3.8.1; else exit 1; fi')
    status, _, err = setup_env('--python', python)
    assert status == 1
    assert err.startswith('error: Python 3.8.1 is too old: 3.10 or newer')


def test_python_without_venv_gets_one_sentence(fake_python, tmp_path):
    python = fake_python('case "$*" in *ensurepip*) exit 1;; *) exit 0;; esac')
    status, _, err = setup_env('--python', python, '--venv', tmp_path / 'venv')
    assert status == 1
    assert 'has no venv module: install it' in err


def test_full_disk_gets_one_sentence(fake_python, free_disk, tmp_path):
    status, _, err = setup_env(
        '--python', fake_python('exit 0'), '--venv', tmp_path / 'venv', PATH=free_disk(2)
    )
    assert status == 1
    assert 'only 2 GB are free' in err and 'needs 8 GB' in err


def test_no_venv_names_what_the_stack_lacks(fake_python):
    python = fake_python('case "$*" in *"import mmcv"*) exit 1;; *) exit 0;; esac')
    status, _, err = setup_env('--no-venv', '--python', python)
    assert status == 1
    assert 'cannot import mmcv: with --no-venv' in err


def test_no_network_gets_one_sentence(free_disk, tmp_path):
    status, _, err = setup_env(
        '--venv',
        tmp_path / 'venv',
        '--python',
        sys.executable,
        PATH=free_disk(99),
        PIP_INDEX_URL='http://127.0.0.1:9/simple',  # nobody listens there
        PIP_CONFIG_FILE='/dev/null',
        PIP_EXTRA_INDEX_URL='',
        PIP_FIND_LINKS='',
    )
    assert status == 1
    assert err.startswith('error: the package index cannot be reached: check')
    assert err.count('\n') == 1


def test_a_torch_index_that_has_none_gets_one_sentence(free_disk, tmp_path):
    status, out, err = setup_env(
        '--venv',
        tmp_path / 'venv',
        '--python',
        sys.executable,
        PATH=free_disk(99),
        INRN_TORCH_INDEX='http://127.0.0.1:9/simple',
        PIP_INDEX_URL='http://127.0.0.1:9/simple',
        PIP_CONFIG_FILE='/dev/null',
        PIP_EXTRA_INDEX_URL='',
        PIP_FIND_LINKS='',
    )
    assert status == 1
    assert 'installing torch and torchvision from http://127.0.0.1:9/simple' in out
    last = err.splitlines()[-1]
    assert last.startswith('error: torch and torchvision could not be installed from INRN_TORCH')


def test_nothing_is_compiled():
    script = (ROOT / 'tools' / 'setup_env.sh').read_text()
    assert 'MMCV_WITH_OPS=0' in script
    for compiler in ('g++', 'gcc', 'nvcc', 'ninja'):
        assert compiler not in script


def test_the_lock_has_what_is_asked_for():
    from packaging.requirements import Requirement

    folder = ROOT / 'requirements'
    locked = {}
    for line in (folder / 'constraints.txt').read_text().splitlines():
        if line and not line.startswith('#'):
            pin = Requirement(line)
            if not pin.marker or pin.marker.evaluate():
                locked[pin.name] = next(iter(pin.specifier)).version
    for name in ('runtime', 'det', 'cls', 'fit', 'demo', 'tests'):
        for line in (folder / f'{name}.txt').read_text().splitlines():
            if line and not line.startswith(('#', '-r')):
                wanted = Requirement(line)
                assert locked[wanted.name] in wanted.specifier
