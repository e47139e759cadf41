"""Put the operators into an environment, for programs that never import inrn_mm."""

import argparse
import importlib.machinery
import importlib.util
from pathlib import Path

TEXT = """\
# Written by `python -m inrn_mm.ops install`; `uninstall` takes it out.
from inrn_mm.ops.extension import *  # noqa: F403
from inrn_mm.ops.extension import __getattr__  # noqa: F401
"""


def find_mmcv() -> Path:
    """Find the folder of the installed mmcv.

    Returns:
        Path: It.

    Raises:
        SystemExit: If there is none.
    """
    spec = importlib.util.find_spec('mmcv')
    if spec is None or spec.origin is None:
        raise SystemExit('error: there is no mmcv in this environment: install one first.')
    return Path(spec.origin).parent


def find_compiled(folder: Path) -> Path | None:
    """Find mmcv's compiled operators.

    Args:
        folder (Path): mmcv's folder.

    Returns:
        Path, optional: The file; None if there is none for this Python.
    """
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        if (folder / f'_ext{suffix}').exists():
            return folder / f'_ext{suffix}'
    return None


def is_ours(file: Path) -> bool:
    """Tell whether a file was written by :func:`install`."""
    return file.read_text().startswith(TEXT.splitlines()[0])


def install() -> None:
    """Write ``mmcv/_ext.py``.

    Raises:
        SystemExit: If compiled operators are there, or another file of that
            name, or it cannot be written.
    """
    folder = find_mmcv()
    compiled = find_compiled(folder)
    if compiled is not None:
        raise SystemExit(
            f'error: {compiled} is there, compiled operators, and is not overwritten: if it does '
            'not load, delete it and install again.'
        )
    file = folder / '_ext.py'
    if file.exists() and not is_ours(file):
        raise SystemExit(f'error: {file} is not of this package and is not overwritten.')
    try:
        file.write_text(TEXT)
    except OSError as error:
        raise SystemExit(f'error: {file} cannot be written ({error.strerror}).') from None
    print(
        f"{file} written: mmcv's operators are torchvision's in every program of this environment."
    )


def uninstall() -> None:
    """Delete ``mmcv/_ext.py``.

    Raises:
        SystemExit: If it is not of this package.
    """
    file = find_mmcv() / '_ext.py'
    if not file.exists():
        print(f'{file} is not there: nothing to take out.')
        return
    if not is_ours(file):
        raise SystemExit(f'error: {file} is not of this package and is not deleted.')
    file.unlink()
    print(f'{file} deleted.')


def show() -> None:
    """Print which operators are in use.

    Raises:
        SystemExit: If there are none.
    """
    from .finder import describe_operators

    try:
        print(f"mmcv's operators: {describe_operators()}")
    except ImportError as error:
        raise SystemExit(f'error: {error}') from None


def main() -> None:
    """Install, uninstall or show, from the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m inrn_mm.ops',
        description="Use torchvision's operators as mmcv's in every program of this environment, "
        "mmdet's own tools and notebooks included.",
        epilog='example: python -m inrn_mm.ops install',
    )
    commands = {'install': install, 'uninstall': uninstall, 'show': show}
    parser.add_argument('command', choices=commands, help='what to do')
    commands[parser.parse_args().command]()


if __name__ == '__main__':
    main()
