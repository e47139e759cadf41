"""Fixtures shared by all tests."""
import os
import sys
from pathlib import Path
from typing import Dict

import pytest

# ``from tiny_coco import ...`` works in every test, whatever pytest's import
# mode and working directory.
sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault('MPLBACKEND', 'Agg')


@pytest.fixture(scope='session')
def tiny_coco(tmp_path_factory) -> Dict[str, str]:
    """Paths of a six-image COCO set; tests must not write into it."""
    from tiny_coco import make_tiny_coco
    return make_tiny_coco(tmp_path_factory.mktemp('tiny_coco'), num_images=6)
