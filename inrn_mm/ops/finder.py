"""Which module ``mmcv._ext`` is: the compiled one or the one that stands in."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder
from types import ModuleType

import torch
from mmengine.logging import MMLogger, print_log

NAME = 'mmcv._ext'
VARIABLE = 'INRN_MMCV_OPS'
KINDS = ('compiled', 'torchvision')

# Why the compiled operators are not in use though they are there.
_refusal = ''
_logged = False


def read_choice() -> str | None:
    """Read which operators the user wants.

    Returns:
        str, optional: One of ``KINDS``; None to decide by what is there.

    Raises:
        ImportError: If the variable says something else.
    """
    choice = os.environ.get(VARIABLE) or None
    if choice not in (None, *KINDS):
        raise ImportError(f"{VARIABLE} must be 'compiled' or 'torchvision', not '{choice}'.")
    return choice


class StandInLoader(Loader):
    """Fill a module with the operators of this package."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Leave it to Python to make an empty module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module."""
        from . import extension

        for name in (*extension.__all__, '__getattr__'):
            setattr(module, name, getattr(extension, name))
        if MMLogger._instance_dict:
            log_operators()


def _try(module: ModuleType) -> None:
    """Run one operator: built for another torch, some load and then fail.

    Raises:
        ImportError: If its result is wrong.
        RuntimeError: If it says so itself.
    """
    boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]])
    scores = torch.tensor([0.9, 0.8, 0.7])
    if module.nms(boxes, scores, iou_threshold=0.5, offset=0).tolist() != [0, 2]:
        raise ImportError('NMS gives wrong results')


class FallbackLoader(StandInLoader):
    """Load the compiled module, or stand in for it if that fails.

    Args:
        found (ModuleSpec): Spec of the compiled module.
    """

    def __init__(self, found: ModuleSpec) -> None:
        self.found = found
        self.failed = False

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Load the compiled module.

        Returns:
            ModuleType, optional: It; None if it does not load.

        Raises:
            ImportError: If it does not load and the user wants no other.
        """
        global _refusal
        try:
            module = importlib.util.module_from_spec(self.found)
            if self.found.loader is not None:
                self.found.loader.exec_module(module)
            _try(module)
            return module
        except (ImportError, OSError, RuntimeError) as error:  # built for another torch
            reason = (str(error).splitlines() or [repr(error)])[0]
            if read_choice() == 'compiled':
                raise ImportError(
                    f"mmcv's compiled operators do not run ({reason}): build them for this torch "
                    f"({torch.__version__}), or leave {VARIABLE} unset to use torchvision's."
                ) from error
            self.failed, _refusal = True, reason
            return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill the module if the compiled one did not load."""
        if self.failed:
            super().exec_module(module)


class OperatorFinder(MetaPathFinder):
    """Find ``mmcv._ext`` where mmcv has none that loads."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the module; nothing else is looked for.

        Raises:
            ImportError: If the user wants compiled operators and there are none.
        """
        if name != NAME:
            return None
        found = PathFinder.find_spec(name, path)
        if found is not None and not isinstance(found.loader, ExtensionFileLoader):
            found = None
        choice = read_choice()
        if choice == 'compiled' and found is None:
            raise ImportError(
                f'{VARIABLE}=compiled, but this mmcv has no compiled operators: install one that '
                "has, or leave the variable unset to use torchvision's."
            )
        if found is not None and choice != 'torchvision':
            return ModuleSpec(name, FallbackLoader(found), origin=found.origin)
        return ModuleSpec(name, StandInLoader(), origin=str(__package__))


def register_finder() -> None:
    """Let Python ask this package for ``mmcv._ext``; a second call does nothing."""
    if not any(isinstance(finder, OperatorFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, OperatorFinder())


def find_operators() -> str:
    """Tell which operators mmcv uses in this process, loading them if need be.

    Returns:
        str: ``'compiled'`` or ``'torchvision'``.

    Raises:
        ImportError: If there is no mmcv, or not the operators that the user
            wants.
    """
    module = importlib.import_module(NAME)
    return 'torchvision' if hasattr(module, 'STANDS_IN') else 'compiled'


def describe_operators() -> str:
    """Say in a few words which operators are in use, and why.

    Returns:
        str: For instance ``"torchvision's (inrn_mm.ops)"``.

    Raises:
        ImportError: See :func:`find_operators`.
    """
    if find_operators() == 'compiled':
        return 'compiled'
    reason = f'; the compiled ones do not run: {_refusal}' if _refusal else ''
    return f"torchvision's (inrn_mm.ops{reason})"


def log_operators() -> None:
    """Say once in the current log which operators are in use."""
    global _logged
    if not _logged:
        _logged = True
        print_log(f"mmcv's operators: {describe_operators()}", 'current')
