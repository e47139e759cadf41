"""The demo: a whole job on data that ships inside packages.

``tools/demo.py`` runs one of :data:`TASKS` (see :func:`load_task`). Each lives
in a module of its own and runs its work as the steps of a :class:`Steps`.
Tasks that distil share :mod:`.trainings` and :mod:`.report`.
"""

from collections.abc import Callable
from importlib import import_module

from .options import DemoOptions
from .steps import StepFailed, Steps
from .tasks import TASKS


def load_task(name: str) -> Callable:
    """Import the function of a task, ``run(work_dir, options, root) -> report``.

    Its arguments are the folder of all products, the user's
    :class:`DemoOptions` and the folder with ``configs/`` and ``tools/``. It
    returns the path of its report, and raises :class:`StepFailed` if a step
    ended with an error.
    """
    return import_module(TASKS[name]).run


__all__ = ['DemoOptions', 'StepFailed', 'Steps', 'TASKS', 'load_task']
