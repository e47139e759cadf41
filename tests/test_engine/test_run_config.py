"""Mistakes in a config end in a sentence."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import MODELS, OPTIMIZERS
from mmengine.runner import Runner
from torch import nn

from inrn_mm.engine import user_errors
from inrn_mm.engine.config_file import read_config
from inrn_mm.engine.run_config import load_config
from inrn_mm.engine.work_dir import check_writable


def arguments(config, **options):
    return SimpleNamespace(
        config=str(config), work_dir=None, cfg_options=options, launcher='none', allow_pickle=True
    )


@pytest.mark.parametrize(
    'content, message',
    [
        (b'# caf\xe9\nmodel = dict()', r'not UTF-8 \(byte 5\)'),
        (b'a = 1\nmodel = dict(\n', r'line 2: .*never closed'),
        (b"_base_ = './gone.py'", 'gone.py'),
        (b'a = b', "NameError: name 'b' is not defined"),
        (b"custom_imports = dict(imports=['no_such_package'])", 'no_such_package'),
        (b"_base_ = 'mmdett::a/b.py'", 'mmdett'),
    ],
)
def test_files_that_cannot_be_read(tmp_path, content, message):
    path = tmp_path / 'my.py'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f'config {path} cannot be read: .*{message}') as caught:
        read_config(str(path))
    assert '\n' not in str(caught.value)


def test_names_of_packages(monkeypatch):
    installed = []
    monkeypatch.setattr('mmengine.hub.hub.install_package', installed.append)
    with pytest.raises(ValueError, match="no package 'mmdett'.*mmdet::retinanet"):
        read_config('mmdett::x.py')
    with pytest.raises(FileNotFoundError, match="'mmdet' has no config 'a/x.py'"):
        read_config('mmdet::a/x.py')
    with pytest.raises(FileNotFoundError, match='config gone.py does not exist'):
        read_config('gone.py')
    assert installed in ([], ['mmdet'])  # asked for only where it is


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(model=5), r'model of .*my.py is 5: give a dict'),
        ({'model.type': ''}, 'model of .* has no type'),
        (dict(optim_wrapper='SGD'), "optim_wrapper of .* is 'SGD'"),
        (dict(train_dataloader=3), 'train_dataloader of .* is 3'),
        (dict(custom_hooks='EMAHook'), 'custom_hooks of .* a list of dicts'),
        ({'work_dir.x': 1}, '--cfg-options work_dir.x=1 do not fit'),
        (dict(auto_scale_lr=5), 'auto_scale_lr of .* is 5: give a dict'),
        (dict(randomness=5), 'randomness of .* is 5: give a dict'),
        ({'train_cfg.val_interval': 0}, 'train_cfg.val_interval of .* a number above 0'),
        ({'train_cfg.val_interval': 'abc'}, 'train_cfg.val_interval of .* is abc: give a number'),
        ({'optim_wrapper.clip_grad.max_norm': 'x'}, 'clip_grad.max_norm of .* is x: give a number'),
        (dict(load_from=5), 'load_from of .* is 5: give the path'),
    ],
)
def test_parts_that_are_no_dicts(tmp_path, options, message, monkeypatch):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '-1')
    path = tmp_path / 'my.py'
    path.write_text("model = dict(type='INRN')\nwork_dir = 'a'\n")
    with pytest.raises(ValueError, match=message):
        load_config(arguments(path, **options))


def sentence(capsys, function):
    with pytest.raises(SystemExit) as info, user_errors():
        function()
    assert info.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and error.count('\n') == 1
    return error


def test_types_that_cannot_be_built(capsys, monkeypatch):
    monkeypatch.delenv('INRN_DEBUG', raising=False)
    error = sentence(capsys, lambda: MODELS.build(dict(type='INRNN', arch='m')))
    assert "type 'INRNN', which is no model" in error and "did you mean 'INRN'?" in error
    error = sentence(capsys, lambda: MODELS.build(dict(type='INRN', colour='red')))
    assert "INRN cannot be built from the config with colour='red' (TypeError" in error
    net = MODELS.build(dict(type='INRN', arch='s'))
    cfg = dict(type='SGD', lr='abc', params=list(net.parameters()))
    error = sentence(capsys, lambda: OPTIMIZERS.build(cfg))
    assert "SGD cannot be built from the config with lr='abc' (TypeError" in error
    error = sentence(capsys, lambda: MODELS.build(5))
    assert 'A part of the config cannot be built (TypeError' in error
    # whatever kind of error it is
    error = sentence(capsys, lambda: MODELS.build(dict(type='SIREN', shape=(1, 8, 8, 3), width=0)))
    assert 'SIREN cannot be built' in error and 'ZeroDivisionError' in error


def test_what_the_runner_does_not_find(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv('INRN_DEBUG', raising=False)
    net = nn.Linear(1, 1)
    optimizer = dict(type='SGDD', lr=0.1)
    error = sentence(capsys, lambda: build_optim_wrapper(net, dict(optimizer=optimizer)))
    assert "type 'SGDD', which is no optimizer" in error and "did you mean 'SGD'?" in error

    def make(**kwargs):
        return Runner(net, str(tmp_path), experiment_name=tmp_path.name, **kwargs)

    for wrong in (
        dict(log_level='NOPE'),
        dict(visualizer=5),
        dict(randomness=dict(seed='abc')),
        dict(train_cfg=dict(by_epoch=True, max_epochs=1)),
    ):
        assert 'The config cannot be run as it is (' in sentence(capsys, lambda: make(**wrong))
    monkeypatch.setattr(Runner, 'train', lambda self: self.build_param_scheduler(5))
    runner = Runner.__new__(Runner)
    runner.optim_wrapper = OptimWrapper(torch.optim.SGD(net.parameters(), 0.1))
    assert 'cannot be run as it is (TypeError: ' in sentence(capsys, runner.train)


def test_a_full_disk_is_the_users_to_clear(capsys, monkeypatch):
    monkeypatch.delenv('INRN_DEBUG', raising=False)

    def full():  # as a library raises it
        with open('/dev/full', 'w', buffering=1) as file:
            file.write('x\n')

    assert 'No space left on device' in sentence(capsys, full)


def test_a_work_dir_that_is_a_file(capsys, tmp_path, monkeypatch):
    monkeypatch.delenv('INRN_DEBUG', raising=False)
    (tmp_path / 'a').touch()
    assert 'is a file' in sentence(capsys, lambda: check_writable(tmp_path / 'a'))
