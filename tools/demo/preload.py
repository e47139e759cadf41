"""Imports what every step needs, before its process is forked."""

import contextlib
import io
import warnings
from importlib import import_module


def quietly(*modules: str) -> None:
    """Import modules without what they print."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        for module in modules:
            import_module(module)


quietly('inrn_mm.engine.launch')
