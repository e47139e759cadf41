"""Which mmcv wheel is taken, and that a wrong one is never."""

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope='module')
def build_mmcv():
    spec = importlib.util.spec_from_file_location('build_mmcv', ROOT / 'tools' / 'build_mmcv.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def wheel_name(build_mmcv, python=None, version=None) -> str:
    from packaging.tags import sys_tags

    tag = next(sys_tags())
    python = python or tag.interpreter
    return f'onedl_mmcv-{version or build_mmcv.VERSION}-{python}-{python}-{tag.platform}.whl'


def test_key_tells_apart_all_that_a_binary_depends_on(build_mmcv):
    key = build_mmcv.wheel_key
    assert key('2.11.0+cu130', (3, 11, 7), 'x86_64') == ('torch2.11.0+cu130-cp311-x86_64-cpu')
    assert key('2.11.0+cu130', (3, 11), 'x86_64', '13.0', ['9.0', '8.0']) == (
        'torch2.11.0+cu130-cp311-x86_64-cu130-sm80-sm90'
    )
    variants = [
        key('2.11.0', (3, 11), 'x86_64'),
        key('2.10.0', (3, 11), 'x86_64'),
        key('2.11.0', (3, 12), 'x86_64'),
        key('2.11.0', (3, 11), 'aarch64'),
        key('2.11.0', (3, 11), 'x86_64', '13.0', ['8.0']),
        key('2.11.0', (3, 11), 'x86_64', '13.0', ['9.0']),
        key('2.11.0', (3, 11), 'x86_64', '12.8', ['9.0']),
    ]
    assert len(set(variants)) == len(variants)


def test_candidates_fit_this_python_torch_and_mmcv(build_mmcv, tmp_path):
    good = wheel_name(build_mmcv)
    places = {
        'torch2.11.0-cpu': [
            good,
            wheel_name(build_mmcv, python='cp38'),
            wheel_name(build_mmcv, version='2.1.0'),
            'mmcv-2.1.0-py3-none-any.whl',
            'not-a-wheel.whl',
        ],
        'torch2.9.0-cpu': [good],
        'mine': [good],
    }
    for folder, names in places.items():
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).touch()
    found = build_mmcv.candidates([tmp_path], '2.11.0+cu130')
    assert [f.relative_to(tmp_path).as_posix() for f in found] == [
        f'mine/{good}',
        f'torch2.11.0-cpu/{good}',
    ]
    inside = build_mmcv.candidates([tmp_path / 'torch2.9.0-cpu'], '2.11.0')
    assert list(inside) == []


def test_a_wheel_whose_ops_do_not_run_is_rejected(build_mmcv, tmp_path):
    wheel = tmp_path / wheel_name(build_mmcv)
    wheel.write_bytes(b'half a download')
    assert build_mmcv.wheel_error('cpu', wheel) == 'the file is damaged'
    with zipfile.ZipFile(wheel, 'w') as archive:
        archive.writestr('mmcv/__init__.py', '')
        archive.writestr('mmcv/cnn.py', '')
        archive.writestr('mmcv/ops.py', "raise ImportError('undefined symbol: c10')")
    assert 'undefined symbol: c10' in build_mmcv.wheel_error('cpu', wheel)


def test_installed_ops_run_here(build_mmcv):
    assert build_mmcv.ops_error('cpu') is None


def test_nothing_is_done_while_the_ops_run(build_mmcv, tmp_path, monkeypatch):
    monkeypatch.setattr(build_mmcv, 'ops_error', lambda device: None)
    build_mmcv.provide('cpu', tmp_path / 'kept', [])
    assert not (tmp_path / 'kept').exists()


def test_a_fitting_wheel_saves_the_build(build_mmcv, tmp_path, monkeypatch):
    broken, good = tmp_path / 'a', tmp_path / 'b'
    for folder in (broken, good):
        folder.mkdir()
        (folder / wheel_name(build_mmcv)).touch()
    installed = []
    monkeypatch.setattr(build_mmcv, 'ops_error', lambda device: 'none')
    monkeypatch.setattr(
        build_mmcv,
        'wheel_error',
        lambda device, wheel: None if wheel.parent == good else 'does not load',
    )
    monkeypatch.setattr(build_mmcv, 'install', installed.append)
    monkeypatch.setattr(build_mmcv, 'build', None)
    build_mmcv.provide('cpu', tmp_path / 'kept', [broken, good])
    assert [wheel.parent for wheel in installed] == [good]


@pytest.mark.skipif(not shutil.which('gcc'), reason='needs gcc')
def test_stripped_wheel_is_smaller_and_valid(build_mmcv, tmp_path):
    pytest.importorskip('wheel')
    name = f'onedl_mmcv-{build_mmcv.VERSION}'
    tree = tmp_path / name
    info = tree / f'{name}.dist-info'
    info.mkdir(parents=True)
    source = tmp_path / 'ext.c'
    source.write_text('int answer(void) { return 42; }\n')
    subprocess.run(['gcc', '-g3', '-shared', '-fPIC', source, '-o', tree / '_ext.so'], check=True)
    tag = wheel_name(build_mmcv)[len(name) + 1 : -len('.whl')]
    (info / 'METADATA').write_text(
        f'Metadata-Version: 2.1\nName: onedl-mmcv\nVersion: {build_mmcv.VERSION}\n'
    )
    (info / 'WHEEL').write_text(f'Wheel-Version: 1.0\nTag: {tag}\n')
    subprocess.run(
        [sys.executable, '-m', 'wheel', 'pack', '--dest-dir', tmp_path, tree], check=True
    )
    wheel = next(tmp_path.glob('*.whl'))
    small = build_mmcv.strip_symbols(wheel, tmp_path / 'work')
    assert small.name == wheel.name
    with zipfile.ZipFile(wheel) as before, zipfile.ZipFile(small) as after:
        sizes = [z.getinfo('_ext.so').file_size for z in (before, after)]
        records = [z.read(f'{name}.dist-info/RECORD') for z in (before, after)]
    assert sizes[1] < sizes[0]
    assert f'{sizes[1]}'.encode() in records[1] != records[0]


def test_missing_compiler_gets_one_sentence(build_mmcv, monkeypatch):
    monkeypatch.setattr(build_mmcv.shutil, 'which', lambda name: None)
    with pytest.raises(build_mmcv.BuildError, match='needs gcc: install it'):
        build_mmcv.check_compilers()


def test_toolkit_of_another_cuda_is_not_taken(build_mmcv, tmp_path, monkeypatch):
    (tmp_path / 'bin').mkdir()
    (tmp_path / 'include').mkdir()
    nvcc = tmp_path / 'bin' / 'nvcc'
    nvcc.write_text('#!/bin/sh\necho Cuda tools, release 12.4, V12.4.1\n')
    nvcc.chmod(0o755)
    monkeypatch.setenv('CUDA_HOME', str(tmp_path))
    assert build_mmcv.installed_toolkit('12.8') != tmp_path  # no headers
    for header in build_mmcv.CUDA_HEADERS:
        (tmp_path / 'include' / header).touch()
    assert build_mmcv.installed_toolkit('12.8') == tmp_path
    assert build_mmcv.installed_toolkit('13.0') != tmp_path


def test_no_toolkit_anywhere_says_what_to_do(build_mmcv, tmp_path, monkeypatch):
    metadata = build_mmcv.importlib.metadata

    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, 'version', missing)
    with pytest.raises(build_mmcv.BuildError, match='set CUDA_HOME .* or set up .* --cpu'):
        build_mmcv.registry_toolkit('13.0', tmp_path)


def test_help_shows_an_example():
    done = subprocess.run(
        [sys.executable, ROOT / 'tools' / 'build_mmcv.py', '--help'], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert 'example: python tools/build_mmcv.py' in done.stdout
