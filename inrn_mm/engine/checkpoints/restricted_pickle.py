"""Unpickling that finds nothing but what it was given."""

import pickle
from _compat_pickle import IMPORT_MAPPING
from collections.abc import Sequence
from typing import Any, BinaryIO


class RestrictedPickle:
    """Stands in for the module ``pickle`` in :func:`torch.load`.

    Before torch 2.6 ``weights_only=True`` refuses numpy's arrays and
    mmengine's log buffers, which every checkpoint of a runner has, and cannot
    be told to take them. To be dropped with those versions.

    Args:
        allowed (Sequence[tuple[object, str]]): What a file may ask for by
            this full name, besides what torch itself allows.
    """

    def __init__(self, allowed: Sequence[tuple[object, str]]) -> None:
        # private, and there in all the versions that need this class
        from torch._weights_only_unpickler import _get_allowed_globals

        known = dict(_get_allowed_globals())
        known.update({name: value for value, name in allowed})

        class Unpickler(pickle.Unpickler):
            def find_class(self, module: str, name: str) -> Any:
                # torch writes Python 2's names
                full = f'{IMPORT_MAPPING.get(module, module)}.{name}'
                if full not in known:
                    raise pickle.UnpicklingError(f'GLOBAL {full}')
                return known[full]

        self.Unpickler = Unpickler
        self.__name__ = 'RestrictedPickle'

    def load(self, file: BinaryIO, **kwargs) -> Any:
        """Load as :func:`pickle.load` does.

        Args:
            file (BinaryIO): The file.
            **kwargs: Arguments of :class:`pickle.Unpickler`.

        Returns:
            object: Its content.

        Raises:
            pickle.UnpicklingError: If it asks for what is not allowed.
        """
        return self.Unpickler(file, **kwargs).load()
