"""A model that is another view of a model."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from inspect import get_annotations
from typing import Any

from mmengine.model import BaseModel
from torch import nn
from torch.nn.modules.module import _IncompatibleKeys

OWN = 'distill_losses'


class StudentView(BaseModel):
    """A second view of a model, with modules of its own beside it.

    It holds the very same dictionaries of parameters, buffers and submodules
    as the student, so that names in checkpoints and optimizers are those of
    the plain student, and whatever replaces a submodule through one of the
    two is seen by the other. An attribute that is read, set or deleted on the
    view is the student's, unless the view's class has or annotates it.

    Saving and loading are the student's, with all hooks and overridden
    methods: these never see the view's own modules, which are below
    ``distill_losses.``.

    Args:
        student (nn.Module): The model.

    Raises:
        ValueError: If the student is such a view already.
    """

    def __init__(self, student: nn.Module) -> None:
        super().__init__()
        if hasattr(student, OWN):
            raise ValueError(
                f'{type(student).__name__} has {OWN} of its own; a distiller cannot be distilled.'
            )
        self._register_state_dict_hook(_saved_by_mmengine)
        self.register_load_state_dict_post_hook(_loaded)
        for name in ('_is_init', 'init_cfg'):
            del self.__dict__[name]
        shared = (
            '_parameters',
            '_buffers',
            '_non_persistent_buffers_set',
            '_modules',
            '_state_dict_pre_hooks',
            '_load_state_dict_pre_hooks',
        )
        for name in shared:
            object.__setattr__(self, name, getattr(student, name))
        object.__setattr__(self, '_version', student._version)
        # not registered as a child: its children are
        object.__setattr__(self, 'student', student)

    def state_dict(
        self, *, destination: dict | None = None, prefix: str = '', keep_vars: bool = False
    ) -> dict:
        """Return the student's state and that of the view's own modules."""
        with self._student_alone() as own:
            state = self.student.state_dict(
                destination=destination, prefix=prefix, keep_vars=keep_vars
            )
        # a hook that returns another dict is heeded at the root only
        targets = [state] if destination is None or destination is state else [state, destination]
        for target in targets:
            own.state_dict(destination=target, prefix=f'{prefix}{OWN}.', keep_vars=keep_vars)
        return state

    def load_state_dict(self, state_dict: Mapping, *args, **kwargs) -> _IncompatibleKeys:
        """Load the student's state and that of the view's own modules."""
        if type(self.student).load_state_dict is nn.Module.load_state_dict:
            return super().load_state_dict(state_dict, *args, **kwargs)
        rest = {k: v for k, v in state_dict.items() if not k.startswith(f'{OWN}.')}
        state = {k[len(OWN) + 1 :]: v for k, v in state_dict.items() if k not in rest}
        with self._student_alone() as own:
            first = self.student.load_state_dict(rest, *args, **kwargs)
            second = own.load_state_dict(state, *args, **kwargs)
        first = first or ((), ())  # an overridden method may return nothing
        return _IncompatibleKeys(
            *([*a, *(f'{OWN}.{key}' for key in b)] for a, b in zip(first, second))
        )

    def _save_to_state_dict(self, *args, **kwargs) -> None:
        self.student._save_to_state_dict(*args, **kwargs)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        own = _take(state_dict, f'{prefix}{OWN}.')
        with self._student_alone():
            self.student._load_from_state_dict(state_dict, prefix, *args, **kwargs)
        state_dict.update(own)

    @contextmanager
    def _student_alone(self) -> Iterator[nn.Module]:
        """Take the view's own modules out of the dictionary that both share."""
        own = self._modules.pop(OWN)
        try:
            yield own
        finally:
            self._modules[OWN] = own

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if 'student' not in self.__dict__:
                raise
            return getattr(self.student, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if 'student' not in self.__dict__ or self._owns(name):
            super().__setattr__(name, value)
        else:
            setattr(self.student, name, value)

    def __delattr__(self, name: str) -> None:
        if 'student' not in self.__dict__ or self._owns(name):
            super().__delattr__(name)
        else:
            delattr(self.student, name)

    def _owns(self, name: str) -> bool:
        """Tell whether an attribute is the view's: its class has or annotates it."""
        return (
            name in self.__dict__
            or hasattr(type(self), name)
            or any(name in get_annotations(cls) for cls in type(self).__mro__)
        )


def _take(state: dict, prefix: str) -> dict:
    return {key: state.pop(key) for key in list(state) if key.startswith(prefix)}


def _saved_by_mmengine(view: StudentView, state: dict, prefix: str, metadata: dict) -> dict:
    """Apply the student's hooks.

    mmengine's ``get_state_dict`` walks the modules itself and asks for the
    hooks of each, not for its ``state_dict``.
    """
    own = _take(state, f'{prefix}{OWN}.')
    renamed = state
    for hook in view.student._state_dict_hooks.values():
        result = hook(view.student, renamed, prefix, metadata)
        renamed = renamed if result is None else result
    state.update(own)
    renamed.update(own)
    return renamed


def _loaded(view: StudentView, keys: _IncompatibleKeys) -> None:
    """Apply the student's hooks, which may forgive missing keys."""
    own = [[key for key in some if f'{OWN}.' in key] for some in keys]
    for some, kept in zip(keys, own):
        some[:] = [key for key in some if key not in kept]
    for hook in view.student._load_state_dict_post_hooks.values():
        hook(view.student, keys)
    for some, kept in zip(keys, own):
        some.extend(kept)
