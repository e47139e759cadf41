"""What tests of the tools share besides fixtures."""

import json
from pathlib import Path

from mmengine.config import Config

ROOT = Path(__file__).parents[1]


def dump_config(path, cfg, **overrides):
    """Write a config file; returns its path."""
    Config(dict(cfg, **overrides)).dump(path)
    return str(path)


def logged(work_dir):
    """All scalars that a run logged, in order."""
    logs = sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
    return [json.loads(line) for log in logs for line in log.read_text().splitlines()]
