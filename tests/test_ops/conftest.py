"""Operators of both kinds, whichever this environment uses."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def ours(monkeypatch) -> ModuleType:
    """Our operators, which mmcv's functions use as long as the test runs."""
    from inrn_mm.ops import extension  # before mmcv.ops, which would not import

    importlib.import_module('mmcv.ops')
    for name, module in list(sys.modules.items()):
        if name.startswith('mmcv.ops.') and hasattr(module, 'ext_module'):
            monkeypatch.setattr(module, 'ext_module', extension)
    return extension


@pytest.fixture
def compiled() -> ModuleType:
    """mmcv's compiled operators."""
    from inrn_mm.ops import find_operators

    if find_operators() != 'compiled':
        pytest.skip('this environment has no compiled operators')
    return importlib.import_module('mmcv._ext')
