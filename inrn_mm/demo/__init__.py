"""The demo: a whole job on data that ships inside packages.

``tools/demo.py`` runs one of :data:`TASKS`, a function of the work_dir, the
:class:`DemoOptions` and the folder with ``configs/`` and ``tools/``, that
returns the path of its report. It lives in a module of its own and runs its
work as the steps of a :class:`Steps`.
"""
from importlib import import_module
from typing import Callable

from .options import DemoOptions
from .steps import StepFailed, Steps

# Task to its module, which has a function `run`.
TASKS = {'detection': 'inrn_mm.demo.detection'}


def load_task(name: str) -> Callable:
    """The function of a task."""
    return import_module(TASKS[name]).run


__all__ = ['DemoOptions', 'StepFailed', 'Steps', 'TASKS', 'load_task']
