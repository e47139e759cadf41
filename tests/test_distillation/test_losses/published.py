"""The code that the authors of losses, or MMRazor, published."""

import importlib.util
import sys
from types import ModuleType

import torch
from mmengine.registry import Registry
from published_code import clone


def load(monkeypatch, repo, file):
    """A file of a clone as a module.

    What it imports of packages that are made for an older stack is replaced.
    """
    registry = Registry('theirs')
    stubs = {
        'theirs': {},
        'theirs.losses': {},
        'theirs.losses.utils': dict(log_msg=None),
        'theirs.builder': dict(DISTILL_LOSSES=registry),
        'mmrazor': {},
        'mmrazor.registry': dict(MODELS=registry),
    }
    for name, attributes in stubs.items():
        module = ModuleType(name)
        module.__path__ = []
        vars(module).update(attributes)
        monkeypatch.setitem(sys.modules, name, module)
    spec = importlib.util.spec_from_file_location('theirs.losses.loss', clone(repo) / file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def copy_weights(ours, theirs):
    """Give their modules our values, in the order of definition."""
    ours, theirs = (
        [m for m in module.modules() if getattr(m, 'weight', None) is not None]
        for module in (ours, theirs)
    )
    assert len(ours) == len(theirs)
    for mine, other in zip(ours, theirs):
        other.weight.data.copy_(mine.weight.data)
        if other.bias is not None:
            # a norm follows where ours has none
            other.bias.data.copy_(0 if mine.bias is None else mine.bias.data)


def copy_fusions(loss, theirs):
    """Those of ReviewKD; theirs are kept from deep to shallow."""
    for mine, other in zip(loss.fusions[::-1], theirs.abfs):
        copy_weights(mine.reduce, other.conv1)
        copy_weights(mine.expand, other.conv2)
        if mine.gates is not None:
            copy_weights(mine.gates, other.att_conv)


def assert_near(actual, expected, rtol):
    """Values, and small ones next to the largest."""
    torch.testing.assert_close(
        actual, expected, rtol=rtol, atol=rtol / 100 * expected.abs().max().item()
    )
