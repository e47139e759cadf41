"""Which operators are in use."""

import importlib.util
import os
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from inrn_mm.ops import finder as module
from inrn_mm.ops.finder import NAME, OperatorFinder

ROOT = Path(__file__).parents[2]
COMPILED = f'_ext{EXTENSION_SUFFIXES[0]}'
USE = """
from mmcv.ops import RoIAlign, nms
import torch
print(nms(torch.tensor([[0., 0, 4, 4], [0, 0, 4, 5]]), torch.tensor([.9, .8]), .5)[1].tolist())
"""


@pytest.fixture
def site(tmp_path):
    """A copy of mmcv without operators, in a folder that is looked at first."""
    import mmcv

    site = tmp_path / 'site'
    (site / 'mmcv').mkdir(parents=True)
    for item in Path(mmcv.__file__).parent.iterdir():
        if not item.name.startswith('_ext') and item.name != '__pycache__':
            (site / 'mmcv' / item.name).symlink_to(item)
    return site


def run(site, *args):
    """Run Python; return its exit status, output and errors."""
    path = os.pathsep.join([str(site), str(ROOT)])
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', *args],
        env=dict(os.environ, PYTHONPATH=path, INRN_MMCV_OPS=''),
        cwd=site,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def ops(site, command):
    """Run the installer as a file, which spares the package's import."""
    return run(site, ROOT / 'inrn_mm' / 'ops' / '__main__.py', command)


@pytest.mark.parametrize('order', ['import inrn_mm, mmcv', 'import mmcv, inrn_mm'])
def test_operators_stand_in_in_either_order(site, order):
    status, out, err = run(site, '-c', order + '\n' + USE)
    assert status == 0, err
    assert out.strip() == '[0]'


def test_mmcv_alone_needs_the_installation(site):
    program = ('-c', 'import mmdet.models' + USE)
    status, _, err = run(site, *program)
    assert status != 0 and 'mmcv._ext' in err
    status, out, err = run(site, '-m', 'inrn_mm.ops', 'install')
    assert status == 0 and 'written' in out, err
    assert len((site / 'mmcv' / '_ext.py').read_text().splitlines()) == 3
    status, out, err = run(site, *program)
    assert status == 0, err
    assert out.strip() == '[0]'


def test_installation_is_taken_out(site):
    assert 'nothing to take out' in ops(site, 'uninstall')[1]
    for _ in range(2):
        assert ops(site, 'install')[0] == 0
    status, out, _ = ops(site, 'uninstall')
    assert status == 0 and 'deleted' in out
    assert not (site / 'mmcv' / '_ext.py').exists()


def test_compiled_operators_are_not_overwritten(site):
    file = site / 'mmcv' / COMPILED
    file.write_bytes(b'compiled')
    status, _, err = ops(site, 'install')
    assert status == 1
    assert err.startswith(f'error: {file} is there') and err.count('\n') == 1
    assert file.read_bytes() == b'compiled' and not (site / 'mmcv' / '_ext.py').exists()


@pytest.mark.parametrize('command', ['install', 'uninstall'])
def test_files_of_others_are_left_alone(site, command):
    file = site / 'mmcv' / '_ext.py'
    file.write_text('nms = None\n')
    status, _, err = ops(site, command)
    assert status == 1
    assert 'is not of this package' in err and err.count('\n') == 1
    assert file.read_text() == 'nms = None\n'


@pytest.fixture
def choose(monkeypatch):
    """Set what the user wants; nothing is wanted at first."""
    monkeypatch.delenv('INRN_MMCV_OPS', raising=False)
    monkeypatch.setattr(module, '_refusal', '')
    return lambda choice: monkeypatch.setenv('INRN_MMCV_OPS', choice)


def load(folder):
    """What ``import mmcv._ext`` does, with mmcv in another folder."""
    return importlib.util.module_from_spec(OperatorFinder().find_spec(NAME, [str(folder)]))


def test_nothing_else_is_found(choose):
    assert OperatorFinder().find_spec('mmcv.ops') is None


def test_broken_operators_are_replaced_and_told(choose, tmp_path, monkeypatch):
    (tmp_path / COMPILED).write_bytes(b'of another torch')
    spec = OperatorFinder().find_spec(NAME, [str(tmp_path)])
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    assert found.STANDS_IN and found.nms.__module__ == 'inrn_mm.ops.nms'
    monkeypatch.setitem(sys.modules, NAME, found)
    assert 'the compiled ones do not run' in module.describe_operators()
    choose('compiled')
    with pytest.raises(ImportError, match='do not run .*build them for this torch'):
        load(tmp_path)


def test_operators_that_load_and_give_wrong_results(choose, tmp_path, monkeypatch):
    """As those of torch 2.11 do under torch 2.15."""

    class Loader:
        def create_module(self, spec):
            return None

        def exec_module(self, found):
            found.nms = lambda boxes, *args, **kwargs: boxes[:, 0].long()

    found = importlib.machinery.ModuleSpec(NAME, Loader())
    loader = module.FallbackLoader(found)
    assert loader.create_module(found) is None
    assert module._refusal == 'NMS gives wrong results'


def test_torchvision_can_be_forced(choose, tmp_path):
    (tmp_path / COMPILED).write_bytes(b'never loaded')
    choose('torchvision')
    spec = OperatorFinder().find_spec(NAME, [str(tmp_path)])
    assert type(spec.loader) is module.StandInLoader


@pytest.mark.parametrize(
    'choice, message',
    [
        ('compiled', 'this mmcv has no compiled operators'),
        ('odd', "must be 'compiled' or 'torchvision', not 'odd'"),
    ],
)
def test_choices_that_cannot_be_met(choose, tmp_path, choice, message):
    choose(choice)
    with pytest.raises(ImportError, match=message):
        load(tmp_path)


def test_the_log_says_once_which_are_in_use(choose, monkeypatch):
    said = []
    monkeypatch.setattr(module, 'print_log', lambda text, logger: said.append(text))
    monkeypatch.setattr(module, '_logged', False)
    for _ in range(2):
        module.log_operators()
    assert said == [f"mmcv's operators: {module.describe_operators()}"]


def test_help_shows_an_example(site):
    status, out, _ = ops(site, '--help')
    assert status == 0 and 'example: python -m inrn_mm.ops install' in out
