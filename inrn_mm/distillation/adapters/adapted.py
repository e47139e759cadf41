"""What networks of other libraries have in common as teachers."""

import difflib
import importlib
import logging
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import Any

from mmengine.logging import print_log
from mmengine.model import BaseModel
from torch import Tensor, nn

from ...engine.checkpoints.reading import load_weights, plain_state

# of pictures of ImageNet, 0 to 255, RGB
IMAGENET = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375])


class AdaptedModel(BaseModel):
    """A network of another library as a ``BaseModel``, for teachers only.

    The network is ``model``, under the names of its own library; the stages
    are named by ``res_layers``, so that methods pair them by themselves and the
    forward ends at the last one asked for.

    Args:
        model (nn.Module): The network.
        stages (Sequence[str]): Layers in it that give maps or tokens of the
            image, from shallow to deep.
        data_preprocessor (dict): ``mean`` and ``std`` (RGB, of 0 to 255) that
            the network was trained with, and ``pad_size_divisor``.
        changes (dict, optional): Entries of the config that replace these:
            ``bgr_to_rgb=False`` for images that are stored as RGB (CIFAR).
            Defaults to None.
        published (str): What the weights are called in messages, where
            :meth:`published_state` has some. Defaults to none.

    Attributes:
        complete (bool): Whether it has its weights as it is built.
    """

    complete = False

    def __init__(
        self,
        model: nn.Module,
        stages: Sequence[str],
        data_preprocessor: dict,
        changes: dict | None = None,
        published: str = '',
    ) -> None:
        own = dict(type='mmengine.ImgDataPreprocessor', bgr_to_rgb=True)
        super().__init__({**own, **data_preprocessor, **(changes or {})})
        self.model = model
        self.res_layers = [f'model.{stage}' for stage in stages]
        self.published = published

    def forward(self, inputs: Tensor, data_samples: Any = None, mode: str = 'tensor') -> Any:
        """Run the network.

        Args:
            inputs (Tensor): Images ``(N, 3, H, W)``, normalised.
            data_samples (object): Unused.
            mode (str): ``'tensor'``.

        Raises:
            ValueError: In another mode.
        """
        if mode != 'tensor':
            raise ValueError(f'{type(self).__name__} is a teacher: it has no loss and no results.')
        return self.model(inputs)

    def published_state(self) -> dict:
        """Fetch the weights that the library publishes for the network.

        Returns:
            dict: Name to tensor.

        Raises:
            ConnectionError: If they cannot be had, with what to do.
        """
        raise NotImplementedError

    def load_weights(self, state: dict, source: str) -> list[str]:
        """Load weights under the names of the library, and tell which are left over.

        Args:
            state (dict): A checkpoint's content. A prefix that all of the
                network's weights have in it (``model.``, ``vision_model.``) is
                taken away.
            source (str): Where it came from, for messages.

        Returns:
            list[str]: Names of the weights that kept their old values.

        Raises:
            ValueError: If it is of another architecture.
        """
        state = _without_prefix(plain_state(state), set(self.model.state_dict()))
        unset = load_weights(self.model, state, source)
        left = sorted(set(state) - set(self.model.state_dict()))
        if left:
            print_log(
                f'{len(left)} of the {len(state)} weights in {source} have no place in the '
                f'teacher {type(self.model).__name__}: {", ".join(left[:3])}'
                + (', ...' if len(left) > 3 else '.'),
                'current',
                logging.WARNING,
            )
        return unset


def _without_prefix(state: dict, own: set[str]) -> dict:
    """Take away what stands before the network's names, if that places more of them."""

    def strip(prefix: str) -> dict:
        return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}

    starts = {''}
    for key in state:
        parts = key.split('.')
        starts.update('.'.join(parts[:i]) + '.' for i in (1, 2) if len(parts) > i)
    best = max(sorted(starts, key=len), key=lambda prefix: len(own & set(strip(prefix))))
    others = {k: v for k, v in state.items() if not k.startswith(best)}
    return {**others, **strip(best)}


def need(package: str, name: str) -> ModuleType:
    """Import the library of a teacher.

    Args:
        package (str): Its name.
        name (str): The teacher's, for the message.

    Raises:
        ValueError: If it is not installed, with the command.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ValueError(
            f"The teacher '{name}' needs {package} ({error}): pip install 'inrn_mm[teachers]'."
        ) from error


def unknown(name: str, library: str, names: Iterable[str]) -> ValueError:
    """Make the error to raise for a network that a library does not have.

    Args:
        name (str): Its name.
        library (str): The library's.
        names (Iterable[str]): Those that it has.
    """
    near = difflib.get_close_matches(name.partition('.')[0], list(names), 3)
    hint = f': did you mean {", ".join(near)}?' if near else '.'
    return ValueError(f"{library} has no network '{name}'{hint}")


def unreachable(name: str, error: Exception) -> ConnectionError:
    """Make the error to raise where published weights or settings cannot be had.

    Args:
        name (str): The teacher's.
        error (Exception): What the library said.
    """
    lines = str(error).strip().splitlines()
    reason = f'{type(error).__name__}: {lines[0] if lines else "no reason given"}'
    return ConnectionError(
        f"What is published for the teacher '{name}' cannot be had ({reason}): see to the network, "
        'or give a file by teacher_checkpoint (for hf:: a folder in place of the name).'
    )
