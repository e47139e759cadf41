"""The demo: a whole job on data that ships inside packages.

``tools/demo.py`` runs one of :data:`TASKS`, a function of the work_dir, the
:class:`DemoOptions` and the folder with ``configs/`` and ``tools/``, that
returns the path of its report. It lives in a module of its own and runs its
work as the steps of a :class:`Steps`. Tasks that distil share
:mod:`.trainings` and :mod:`.report`.
"""
from importlib import import_module
from typing import Callable

from .options import DemoOptions
from .steps import StepFailed, Steps
from .tasks import TASKS


def load_task(name: str) -> Callable:
    """The function of a task."""
    return import_module(TASKS[name]).run


__all__ = ['DemoOptions', 'StepFailed', 'Steps', 'TASKS', 'load_task']
