"""Every shipped config for fitting."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from inrn_mm.fitting import SignalFitter

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / 'configs' / 'fitting').glob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_config_fits_what_its_name_says(path, monkeypatch):
    monkeypatch.setenv('INRN_FIT_INPUT', 'somewhere')
    cfg = Config.fromfile(path)
    assert cfg.model.pop('type') == 'SignalFitter'
    assert cfg.model.signal.path == 'somewhere'
    image = path.stem.endswith('_image')
    cfg.model.signal = dict(shape=(1 if image else 132, 720, 1280, 3))
    with torch.device('meta'):
        fitter = SignalFitter(**cfg.model)
    pixel = image or path.stem == 'siren_video'
    assert (fitter.net.kind == 'pixel') == pixel
    assert cfg.default_hooks.param_scheduler.type == 'BudgetHook'
    assert cfg.param_scheduler[-1].end == 1000
