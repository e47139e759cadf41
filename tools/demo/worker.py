"""What runs inside the process of a step."""

import multiprocessing
import os
import runpy
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from pathlib import Path


def call(log: Path, function: Callable, args: Sequence) -> None:
    """Call a function with its output in a file.

    Args:
        log (Path): File that stdout and stderr are appended to.
        function (Callable): What to call.
        args (Sequence): Its arguments.
    """
    _end_with_parent()
    with open(log, 'a') as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    sys.stdout = os.fdopen(1, 'w', buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, 'w', buffering=1, closefd=False)
    try:
        function(*args)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def run_tool(script: Path, argv: Sequence, environment: dict[str, str]) -> None:
    """Run a script of ``tools/`` as ``python SCRIPT ARGV`` does.

    Args:
        script (Path): The script.
        argv (Sequence): Its arguments.
        environment (dict[str, str]): Variables to set.
    """
    os.environ.update(environment)
    sys.argv = [str(script), *map(str, argv)]
    settings = [f'{name}={value}' for name, value in environment.items()]
    print('$', *settings, 'python', *sys.argv, flush=True)
    sys.path.insert(0, str(script.parent))
    runpy.run_path(str(script), run_name='__main__')


def _end_with_parent() -> None:
    """End this process when the demo is gone, however it went."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    if parent is not None:
        threading.Thread(target=watch, daemon=True).start()
