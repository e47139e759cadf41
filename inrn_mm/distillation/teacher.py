"""The teacher: frozen, unseen by the optimizer, run no further than asked."""

import logging
from collections.abc import Sequence

import torch
from mmengine.config import Config, ConfigDict
from mmengine.hub import get_config
from mmengine.logging import print_log
from mmengine.registry import MODELS, DefaultScope
from torch import Tensor, nn

from ..engine.checkpoints.reading import load_state, load_weights
from .acceleration import Acceleration
from .inputs import InputAdapter
from .proposals import forward_proposals
from .taps import ForwardStopped, Recorder, Tap


class FrozenTeacher:
    """A network that only gives features.

    It is not an ``nn.Module``, so it stays out of a parent's parameters,
    state dict, optimizer and gradient synchronisation, and copies of the
    parent (EMA) share it instead of copying it. The weights are read when
    training begins, so that testing needs no teacher checkpoint.

    Args:
        model (str | dict): Config of the network, see :func:`model_config`.
        checkpoint (str, optional): Path or URL of its weights.
            Defaults to None.
        allow_random (bool): Without a checkpoint, go on with random weights
            instead of raising an error. Defaults to False.
        allow_pickle (bool): Unpickle arbitrary objects of the checkpoint,
            which can run code; only for files you trust.
            Defaults to False.
        options (dict, optional): Arguments of :class:`Acceleration`.
            Defaults to None, as it is.
    """

    def __init__(
        self,
        model: str | dict,
        checkpoint: str | None = None,
        allow_random: bool = False,
        allow_pickle: bool = False,
        options: dict | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.allow_random = allow_random
        self.allow_pickle = allow_pickle
        self.loaded = False
        self.place: tuple[torch.device, torch.dtype] | None = None
        self.acceleration = Acceleration(**(options or {}))
        # The student's random stream is the one of a run without a teacher.
        with torch.random.fork_rng(devices=[]):
            self.net: nn.Module = MODELS.build(model_config(model))
        self.net.requires_grad_(False)
        self.net.eval()
        self.num_calls: dict[Tap, int] = {}
        self.clone: list[Tap] = []

    def __deepcopy__(self, memo: dict) -> 'FrozenTeacher':
        return self

    def load(self, like: Tensor) -> None:
        """Read the weights, once, and be where the student is.

        A teacher never asked for stays behind, so that testing on a GPU
        spends no memory on it; one shared with a copy of the student (EMA)
        comes back from wherever that moved.

        Args:
            like (Tensor): A parameter of the student, whose device and type
                the teacher gets.

        Raises:
            ValueError: If there is no checkpoint and random weights were not
                asked for, or the checkpoint is of another network.
        """
        if not self.loaded:
            self._read()
        place = like.device, like.dtype
        if place != self.place:
            self.net.to(*place)
            self.place = place

    def _read(self) -> None:
        if self.checkpoint is not None:
            state = load_state(self.checkpoint, allow_pickle=self.allow_pickle)
            load_weights(self.net, state, source=self.checkpoint)
        elif self.allow_random:
            print_log(
                'The teacher has no checkpoint: its weights are random.', 'current', logging.WARNING
            )
        else:
            raise ValueError(
                'The teacher has no weights: set teacher_checkpoint to a file '
                'or URL (or allow_random_teacher=True to train without).'
            )
        self.net.eval()
        self.loaded = True

    def adapt_inputs(self, preprocessor: nn.Module) -> None:
        """Expect batches normalised by the student's preprocessor."""
        self.inputs = InputAdapter(preprocessor, self.net.data_preprocessor)

    def probe(self, taps: Sequence[Tap], inputs: Tensor, data_samples: list) -> dict[Tap, Tensor]:
        """Run once to the end to learn the taps' shapes and call counts.

        Args:
            taps (Sequence[Tap]): What to record.
            inputs (Tensor): Images ``(N, C, H, W)``.
            data_samples (list): Their data samples.

        Returns:
            dict[Tap, Tensor]: The feature of each.
        """
        features, self.num_calls, self.clone = probe(self.net, taps, inputs, data_samples)
        return features

    @torch.no_grad()
    def __call__(
        self,
        inputs: Tensor,
        data_samples: list | None,
        taps: Sequence[Tap],
        proposals: Tensor | None = None,
    ) -> dict[Tap, list[Tensor]]:
        """Features of a batch made for the student.

        The forward ends at the last of the taps: for features of the
        backbone neither neck nor heads run.

        Args:
            inputs (Tensor): The student's images ``(N, C, H, W)``.
            data_samples (list, optional): Their data samples.
            taps (Sequence[Tap]): What to record, of those probed.
            proposals (Tensor, optional): ``(n, 5)`` boxes that the RoI head
                scores instead of its own. Defaults to None.

        Returns:
            dict[Tap, list[Tensor]]: The features, one for each call of the
            tapped module.
        """
        inputs = self.inputs(inputs, data_samples)
        if self.acceleration.pending:
            every = list(self.num_calls)
            self.net = self.acceleration.fit(
                self.net,
                lambda net: self._forward(net, inputs, data_samples, every, proposals),
                every,
            )
        return self._forward(self.net, inputs, data_samples, taps, proposals)

    def _forward(
        self,
        net: nn.Module,
        inputs: Tensor,
        data_samples: list | None,
        taps: Sequence[Tap],
        proposals: Tensor | None,
    ) -> dict[Tap, list[Tensor]]:
        inputs = self.acceleration.convert(inputs)
        calls = {tap: self.num_calls[tap] for tap in taps}
        with self.acceleration.context(net), Recorder(net, taps, calls, self.clone) as recorder:
            if proposals is None:
                net(inputs, data_samples, mode='tensor')
            else:
                forward_proposals(net, inputs, proposals, taps)
        return recorder.features


@torch.no_grad()
def probe(net: nn.Module, taps: Sequence[Tap], inputs: Tensor, data_samples: list) -> tuple:
    """Run a network on a small batch and look at its taps.

    The run ends when all taps have fired and a part of the network begins
    that has none: detection heads are slow on a blank image.

    Args:
        net (nn.Module): A ``BaseModel``; its mode and random state stay.
        taps (Sequence[Tap]): The taps.
        inputs (Tensor): A batch ``(N, C, H, W)``.
        data_samples (list): Its data samples.

    Returns:
        tuple: The first feature of each tap, how often each fires, and the
        list of those that a later layer overwrites in place.

    Raises:
        ValueError: If a tap is not reached.
    """
    training = {module: module.training for module in net.modules()}
    nn.Module.train(net, False)
    failure = None
    recorder = Recorder(net, taps)

    def stop(*_) -> None:
        if all(recorder.features.values()):
            raise ForwardStopped

    tapped = {tap.path.split('.')[0] for tap in taps}
    handles = [
        child.register_forward_pre_hook(stop)
        for name, child in net.named_children()
        if name not in tapped
    ]
    try:
        with torch.random.fork_rng(devices=[]), recorder:
            net(inputs, data_samples, mode='tensor')
    except ValueError:
        raise
    except Exception as error:  # heads may not take a blank image
        failure = error
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in training.items():
            module.training = mode
    silent = [str(tap) for tap in taps if not recorder.features[tap]]
    if silent:
        raise ValueError(
            f"The forward of {type(net).__name__} does not reach the layer '{silent[0]}'."
        ) from failure
    features = {tap: f[0] for tap, f in recorder.features.items()}
    return features, dict(recorder.counts), recorder.overwritten()


def model_config(model: str | dict) -> dict:
    """Config of a model, from wherever it is.

    Args:
        model (str | dict): A model config; or the path of a config file that
            has a ``model``, ``'configs/my.py'``, or one of a package,
            ``'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'``.

    Returns:
        dict: The model config, with the scope its types are found in.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file has no ``model``.
    """
    if not isinstance(model, str):
        return ConfigDict(model)
    try:
        config = get_config(model) if '::' in model else Config.fromfile(model)
    except (FileNotFoundError, OSError) as error:
        raise FileNotFoundError(
            f"There is no config '{model}': give the path of a config file, "
            "or of one in a package as 'mmdet::path/below/configs.py'."
        ) from error
    if 'model' not in config:
        raise ValueError(f"The config '{model}' has no `model`.")
    cfg = config.model
    # mmpretrain's configs have it beside the model
    if 'data_preprocessor' in config:
        cfg.setdefault('data_preprocessor', config.data_preprocessor)
    scope = config.get('default_scope') or DefaultScope.get_current_instance()
    if scope is not None:
        cfg.setdefault('_scope_', getattr(scope, 'scope_name', scope))
    return cfg
