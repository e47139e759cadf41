import sys

import pytest

import inrn_mm
from inrn_mm.utils import collect_env as module


@pytest.mark.smoke
def test_table_has_the_versions_and_the_ops(capsys, monkeypatch):
    import mmengine
    import torch

    monkeypatch.setattr(sys, 'argv', ['collect_env', '--device', 'cpu'])
    module.main()
    out = capsys.readouterr().out
    rows = dict(line.split(None, 1) for line in out.splitlines())
    assert rows['torch'] == torch.__version__
    assert rows['inrn_mm'].startswith(inrn_mm.__version__)
    assert rows['mmengine'].startswith(mmengine.__version__)
    last = out.splitlines()[-1]
    assert last.startswith('operators    ') and last.endswith(', NMS and RoIAlign run on cpu')
    assert 'torchvision' in last or 'compiled' in last


def test_absent_optional_package_is_no_problem():
    env = dict(torch='2.11.0', mmdet='missing', mmpretrain='missing')
    assert module.problems(env) == []


@pytest.mark.parametrize(
    'env, message',
    [
        (dict(mmcv='missing'), 'mmcv is missing'),
        (dict(cv2='broken (libGL.so.1: cannot open)'), 'cv2 is broken (libGL'),
        (dict(mmdet='broken (mmcv too new)'), 'mmdet is broken'),
    ],
)
def test_missing_or_broken_packages_are_named(env, message):
    problems = module.problems(env)
    assert len(problems) == 1
    assert message in problems[0]


def test_broken_import_is_shown_not_raised(monkeypatch, tmp_path):
    package = tmp_path / 'mmpretrain'
    package.mkdir()
    (package / '__init__.py').write_text("raise RuntimeError('no such op')")
    monkeypatch.delitem(sys.modules, 'mmpretrain', raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    assert module.collect_env()['mmpretrain'] == 'broken (no such op)'


def test_ops_that_do_not_load_get_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, 'mmcv.ops', None)
    with pytest.raises(RuntimeError, match='do not run on cpu .*INRN_MMCV_OPS=torchvision'):
        module.check_ops('cpu')
