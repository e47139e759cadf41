"""Clones of published code that tests compare with.

``INRN_PUBLISHED_CODE`` is their folder: docs/distillation.md and
docs/fitting.md have the commands.
"""

import os
from pathlib import Path

import pytest

FOLDER = os.environ.get('INRN_PUBLISHED_CODE')


def clone(name):
    """Folder of a cloned repository."""
    if not FOLDER:
        pytest.skip(
            'INRN_PUBLISHED_CODE names no folder with published code (docs/distillation.md, '
            'docs/fitting.md)'
        )
    path = Path(FOLDER).expanduser() / name
    if not path.is_dir():
        pytest.skip(f'{path} is not there: git clone it (docs/distillation.md, docs/fitting.md)')
    return path
