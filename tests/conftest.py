"""Fixtures shared by all tests."""

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def restored_process() -> Iterator[None]:
    """Undo what tools and runners change in this process."""
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


@pytest.fixture(autouse=True)
def unchanged_process() -> Iterator[None]:
    """Each test finds the process as it was, whatever ran before it in this worker."""
    with restored_process():
        yield


@pytest.fixture(autouse=True, scope='module')
def unchanged_by_a_module() -> Iterator[None]:
    """So does each file, whatever the fixtures of another did."""
    with restored_process():
        yield


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
