"""What pip and mim see of the package."""

import email
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MM_STACK = {'torch', 'torchvision'} | {
    publisher + name
    for publisher in ('', 'onedl-')
    for name in ('mmengine', 'mmcv', 'mmdet', 'mmdetection', 'mmpretrain')
}


def name_of(requirement: str) -> str:
    return re.match(r'[\w.-]+', requirement).group().lower()


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """A wheel built from a copy, since building leaves files behind."""
    copy = tmp_path_factory.mktemp('source')
    for name in ('inrn_mm', 'configs', 'tools', 'requirements'):
        shutil.copytree(ROOT / name, copy / name, symlinks=True)
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, copy)
    cache = copy / 'tools' / '__pycache__'
    cache.mkdir(exist_ok=True)
    (cache / 'train.cpython-311.pyc').write_bytes(b'')
    out = tmp_path_factory.mktemp('wheel')
    # as pip and uv do, of which an environment may have neither
    code = f'from setuptools.build_meta import build_wheel; build_wheel({str(out)!r})'
    done = subprocess.run([sys.executable, '-c', code], cwd=copy, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(out.glob('*.whl'))


def test_wheel_carries_the_mim_extension(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ('configs', 'tools'):
        for file in (ROOT / folder).rglob('*'):
            if file.suffix in ('.py', '.sh', '.yml'):
                path = file.relative_to(ROOT).as_posix()
                assert f'inrn_mm/.mim/{path}' in names
    assert 'inrn_mm/.mim/model-index.yml' in names
    assert not [name for name in names if '__pycache__' in name]


def test_wheel_carries_every_module(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for file in (ROOT / 'inrn_mm').rglob('*.py'):
        if '.mim' not in file.parts:
            path = file.relative_to(ROOT).as_posix()
            assert path in names, f'{path} is left out: does its folder have an __init__.py?'


def test_installing_never_replaces_the_stack(wheel):
    with zipfile.ZipFile(wheel) as archive:
        file = next(n for n in archive.namelist() if n.endswith('/METADATA'))
        metadata = email.message_from_bytes(archive.read(file))
    requirements = metadata.get_all('Requires-Dist')
    always = {name_of(r) for r in requirements if 'extra ==' not in r}
    assert always and not always & MM_STACK
    for extra, package in (
        ('det', 'onedl-mmdetection'),
        ('cls', 'onedl-mmpretrain'),
        ('mm', 'onedl-mmcv'),
    ):
        assert package in {
            name_of(r) for r in requirements if re.search(f'extra == [\'"]{extra}', r)
        }


USER_CONFIG = """
_base_ = 'inrn_mm::inrn/faster-rcnn_inrn-m_coco.py'
model = dict(backbone=dict(arch='l'))
"""


@pytest.mark.parametrize('installed', ['wheel', 'checkout'])
def test_configs_are_bases_for_a_users_config(installed, wheel, tmp_path):
    where = ROOT
    if installed == 'wheel':
        where = tmp_path / 'site'
        zipfile.ZipFile(wheel).extractall(where)
    (tmp_path / 'user').mkdir()
    (tmp_path / 'user' / 'mine.py').write_text(USER_CONFIG)
    code = (
        'import inrn_mm; from mmengine import Config; '
        "cfg = Config.fromfile('mine.py'); "
        'print(inrn_mm.__file__, cfg.model.type, cfg.model.backbone.arch)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=tmp_path / 'user',
        env=dict(os.environ, PYTHONPATH=str(where)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    file, *model = done.stdout.split()
    assert Path(file) == where / 'inrn_mm' / '__init__.py'
    assert model == ['FasterRCNN', 'l']


def run_outside(tmp_path, config, *command):
    """Run Python on a user's config, outside of the repository."""
    (tmp_path / 'mine.py').write_text(config)
    env = dict(os.environ, PYTHONPATH=str(ROOT), CUDA_VISIBLE_DEVICES='-1')
    env.pop('INRN_COCO_ROOT', None)
    return subprocess.run(
        [sys.executable, *command], cwd=tmp_path, env=env, capture_output=True, text=True
    )


def test_a_users_config_in_our_tools(tmp_path):
    done = run_outside(tmp_path, USER_CONFIG, ROOT / 'tools' / 'train.py', 'mine.py')
    # the config is read, but there is no COCO
    assert re.search(
        '^error: The data root data/coco/? does not exist', done.stderr, re.MULTILINE
    ), done.stderr
    assert done.returncode == 2


def test_a_users_config_in_a_process_that_does_not_know_us(tmp_path):
    """Such as mmdet's tools: by its path, not by ``inrn_mm::``."""
    code = (
        'import sys; from mmengine import Config; '
        "assert 'inrn_mm' not in sys.modules; "
        "print(Config.fromfile('mine.py').model.backbone.arch)"
    )
    path = str(ROOT / 'configs') + '/'
    done = run_outside(tmp_path, USER_CONFIG.replace('inrn_mm::', path), '-c', code)
    assert done.stdout.split()[-1:] == ['l'], done.stderr


def test_mim_extension_of_a_checkout_is_the_repository_itself():
    for name in ('configs', 'tools', 'model-index.yml'):
        assert (ROOT / 'inrn_mm' / '.mim' / name).samefile(ROOT / name)
