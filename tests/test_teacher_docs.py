"""What docs/teachers.md says of the code."""

import re
import runpy
import sys

import pytest
from mmengine.registry import MODELS
from tool_runs import ROOT

PAGE = (ROOT / 'docs' / 'teachers.md').read_text()
COMMANDS = re.findall(r'^python (.*)$', PAGE, re.M)


@pytest.mark.parametrize('command', COMMANDS)
def test_commands_run(command, monkeypatch, capsys):
    pytest.importorskip('timm')
    pytest.importorskip('mmdet')
    script, *arguments = command.split()
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, 'argv', [script, *arguments])
    runpy.run_path(str(ROOT / script), run_name='__main__')
    assert 'distill_losses' in capsys.readouterr().out


def test_models_of_the_snippet():
    pytest.importorskip('timm')
    (block,) = re.findall(r'```python\n(.*?)```', PAGE, re.S)
    names = {}
    exec(block, names)
    assert not MODELS.build(names['cifar_teacher']).data_preprocessor._channel_conversion
    with pytest.raises(FileNotFoundError, match='net.onnx'):
        MODELS.build(names['onnx_teacher'])
