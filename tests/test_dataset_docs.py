"""What docs/datasets.md says of the code."""

import re
import runpy
import sys
from pathlib import Path

import pytest
from mmengine.registry import HOOKS
from tiny_coco import tiny_config
from tool_runs import ROOT, dump_config

PAGE = (ROOT / 'docs' / 'datasets.md').read_text()
COMMANDS = [
    line.split()[1:]
    for block in re.findall(r'```bash\n(.*?)```', PAGE, re.S)
    for line in block.splitlines()
]


@pytest.mark.parametrize('command', COMMANDS, ids=' '.join)
def test_commands_run(command, tiny_coco, tmp_path, monkeypatch, capsys):
    config = dump_config(tmp_path / 'tiny.py', tiny_config(tiny_coco))
    script, *arguments = (config if word == 'CONFIG' else word for word in command)
    monkeypatch.syspath_prepend(str(ROOT))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', [script, *arguments])
    with pytest.raises(SystemExit) as info:
        runpy.run_path(str(ROOT / script), run_name='__main__')
    assert info.value.code == 0
    assert 'Looked at 6 images of train_dataloader.dataset' in capsys.readouterr().out
    assert Path('report/index.html').is_file() == ('--report' in arguments)


def test_hook_of_the_snippet():
    (block,) = re.findall(r'```python\n(.*?)```', PAGE, re.S)
    names = {}
    exec(block, names)
    for hook in names['custom_hooks']:
        assert HOOKS.build(hook)


def test_severities_are_those_of_the_code():
    from inrn_mm.datasets.checks.findings import SEVERITIES

    assert tuple(re.findall(r'^\| (\w+) \| \w+.* \| ', PAGE, re.M))[1 : 1 + len(SEVERITIES)] == (
        SEVERITIES
    )
