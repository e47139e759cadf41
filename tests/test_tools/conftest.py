"""Run the tools, in this process or in their own."""

import os
import runpy
import sys

import pytest
from fit_inputs import image, nerv, siren, video  # noqa: F401
from mmengine.runner.checkpoint import CheckpointLoader
from tool_runs import ROOT

from inrn_mm.engine.checkpoints.reading import FORCE_SAFE


@pytest.fixture
def run_tool(monkeypatch):
    """Call a script of tools/ as its command line would, but here: a process
    of its own spends 15 seconds on imports."""
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '-1')
    monkeypatch.setenv('LOCAL_RANK', '0')
    monkeypatch.setenv(FORCE_SAFE, '0')
    monkeypatch.setattr(CheckpointLoader, '_schemes', dict(CheckpointLoader._schemes))

    def run(script, *arguments):
        monkeypatch.setattr(sys, 'argv', [script, *map(str, arguments)])
        runpy.run_path(str(ROOT / 'tools' / script), run_name='__main__')

    return run


@pytest.fixture
def environment():
    """Environment of a child process that runs a script of tools/."""
    return dict(
        os.environ,
        PYTHONPATH=str(ROOT),
        PYTHON=sys.executable,
        OMP_NUM_THREADS='1',
        CUDA_VISIBLE_DEVICES='-1',
    )
