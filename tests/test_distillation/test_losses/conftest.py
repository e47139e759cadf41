import sys
from pathlib import Path

import pytest

# ``from loss_checks import ...``, whatever pytest's import mode
sys.path.insert(0, str(Path(__file__).parent))
from published import clone


@pytest.fixture
def mdistiller(monkeypatch):
    """The package of distillers on CIFAR-100."""
    monkeypatch.syspath_prepend(str(clone('mdistiller')))
    package = pytest.importorskip('mdistiller.distillers')
    # its sampler wants a GPU; the tests give the negatives. The package hides
    # its modules behind the classes of the same names.
    monkeypatch.setattr(
        sys.modules['mdistiller.distillers.CRD'].AliasMethod, 'cuda', lambda self: None
    )
    return package
