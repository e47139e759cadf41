"""Fixtures shared by all tests."""

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# ``from tiny_coco import ...`` works in every test, whatever pytest's import
# mode and working directory.
sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault('MPLBACKEND', 'Agg')


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test draws the same random numbers, alone or in the suite."""
    import numpy as np
    import torch

    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def unchanged_process() -> Iterator[None]:
    """What a tool or a runner changes in this process, the next test finds as
    it was, whatever ran before it in this worker."""
    from mmengine.logging import MessageHub
    from mmengine.registry import DefaultScope
    from mmengine.runner.checkpoint import CheckpointLoader

    managers = (DefaultScope, MessageHub)
    environment, schemes = dict(os.environ), dict(CheckpointLoader._schemes)
    instances = [manager._instance_dict.copy() for manager in managers]
    yield
    if dict(os.environ) != environment:
        os.environ.clear()
        os.environ.update(environment)
    CheckpointLoader._schemes = schemes
    for manager, before in zip(managers, instances, strict=True):
        manager._instance_dict.clear()
        manager._instance_dict.update(before)


@pytest.fixture(scope='session')
def data_root() -> Path:
    """Folder of the real images; tests must not write into it.

    It is beside the repository (``../shared/data``) or named by the
    environment's ``INRN_TEST_DATA``, and holds ``coco_mini/``.
    """
    beside = Path(__file__).parents[2] / 'shared' / 'data'
    root = Path(os.environ.get('INRN_TEST_DATA', beside))
    if not (root / 'coco_mini').is_dir():
        pytest.skip(f'no coco_mini in {root}; set INRN_TEST_DATA')
    return root


@pytest.fixture(scope='session')
def tiny_coco(tmp_path_factory) -> dict[str, str]:
    """Paths of a six-image COCO set; tests must not write into it."""
    from tiny_coco import make_tiny_coco

    return make_tiny_coco(tmp_path_factory.mktemp('tiny_coco'), num_images=6)
