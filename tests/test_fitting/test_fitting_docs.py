"""What docs/fitting.md says of the code."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.registry import MODELS

import inrn_mm  # noqa: F401

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / 'docs' / 'fitting.md').read_text()
COMMANDS = [
    line
    for block in re.findall(r'```bash\n(.*?)```', PAGE, re.S)
    for line in block.replace('\\\n', '').splitlines()
    if line.startswith('python ')
]


@cache
def usage(script):
    return subprocess.run(
        [sys.executable, str(ROOT / script), '--help'], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize('command', COMMANDS)
def test_commands(command):
    _, script, *words = shlex.split(command)
    known = set(re.findall(r'--[\w-]+', usage(script)))
    assert {word for word in words if word.startswith('--')} <= known
    for word in words:
        if word.startswith('configs/'):
            before, names, after = re.match(r'([^{]*)\{?([^}]*)\}?(.*)', word).groups()
            for name in names.split(','):
                assert (ROOT / f'{before}{name}{after}').is_file()


def test_every_config_is_named():
    names = {path.stem for path in (ROOT / 'configs/fitting').glob('*.py')}
    table = PAGE[: PAGE.index('## Side by side')]
    assert set(re.findall(r'`([\w-]+_(?:image|video))`', table)) == names


def test_own_config(tmp_path):
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    path = tmp_path / 'mine.py'
    path.write_text(re.search(r'```python\n(.*?)```', PAGE, re.S)[1])
    cfg = Config.fromfile(path)
    assert cfg.train_cfg.max_epochs == 100
    assert cfg.model.loss.norm == 'mse'
    MODELS.build(dict(cfg.model.net, shape=(4, 96, 160, 3)))


def test_links_exist():
    for link in re.findall(r'\]\((?!http)([^)#]+)', PAGE):
        assert (ROOT / 'docs' / link).exists(), link
