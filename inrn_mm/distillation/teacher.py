"""The teacher: frozen, unseen by the optimizer, run no further than asked."""

import logging
import math
from collections.abc import Sequence
from functools import partial
from inspect import signature

import torch
from mmengine.logging import print_log
from mmengine.model import ImgDataPreprocessor
from mmengine.registry import MODELS
from torch import Tensor, nn

from ..engine.checkpoints.reading import digest_of, load_state, load_weights
from ..utils.checks import check_whole
from .acceleration import Acceleration
from .adapters import AdaptedModel
from .configs import model_config, published_weights
from .inputs import InputAdapter, SizeAdapter
from .layouts import Size
from .probe import USUAL_SIZES, Probe, TapUnreached, named_sizes, needed_divisor, probe_blank, run
from .proposals import forward_proposals
from .recorder import Features, Recorder
from .taps import Tap


class FrozenTeacher:
    """A network that only gives features.

    It is not an ``nn.Module``, so it stays out of a parent's parameters,
    state dict, optimizer and gradient synchronisation, and copies of the
    parent (EMA) share it instead of copying it. The weights are read when
    training begins, so that testing needs no teacher checkpoint.

    Args:
        model (str | dict): Config of the network, see :func:`model_config`.
        student_inputs (nn.Module): The student's data preprocessor, which
            makes the images.
        checkpoint (str, optional): Path or URL of its weights. Defaults to
            None, those that its package publishes for the config, if
            ``model`` is the name of one.
        data_preprocessor (dict, optional): For a network that names none of
            its own, or is no ``BaseModel`` and so has none. Defaults to None,
            the student's images as they are.
        allow_random (bool): Without a checkpoint, go on with random weights
            instead of raising an error. Defaults to False.
        allow_pickle (bool): Unpickle arbitrary objects of the checkpoint,
            which can run code; only for files you trust.
            Defaults to False.
        options (dict, optional): Arguments of :class:`Acceleration`.
            Defaults to None, as it is.
        size (tuple[int, int], optional): Height and width that the images are
            resized to for it, after their normalisation. Defaults to None, as
            the student sees them.

    Attributes:
        net (nn.Module): The network, in eval mode and without gradients.
        loaded (bool): Whether its weights have been read.
        inputs (InputAdapter): From the student's normalisation to its own.
        sizes (SizeAdapter): To sizes that it takes.
        grids (set[str]): Modules that tell the places of its tokens.
    """

    def __init__(
        self,
        model: str | dict,
        student_inputs: nn.Module,
        checkpoint: str | None = None,
        data_preprocessor: dict | None = None,
        allow_random: bool = False,
        allow_pickle: bool = False,
        options: dict | None = None,
        size: Size | None = None,
    ) -> None:
        self.model = model
        self.checkpoint = checkpoint
        self.allow_random = allow_random
        self.allow_pickle = allow_pickle
        self.loaded = False
        self.digest: str | None = None  # of the checkpoint's weights
        self.place: tuple[torch.device, torch.dtype] | None = None
        self.acceleration = Acceleration(**(options or {}))
        self.num_calls: dict[Tap, int] = {}
        self.clone: list[Tap] = []
        self.grids: set[str] = set()
        # The student's random stream is the one of a run without a teacher.
        with torch.random.fork_rng(devices=[]):
            self.net, preprocessor = _build(model_config(model), data_preprocessor)
        self.net.requires_grad_(False)
        self.net.eval()
        self.inputs = InputAdapter(student_inputs, preprocessor)
        self.sizes = SizeAdapter(preprocessor)
        if size is not None:
            for side in size:
                check_whole("A side of the teacher's size", side, least=1)
            self.sizes.fixed = tuple(size)

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
            ConnectionError: If published weights cannot be downloaded; with
                their URL and where to put the file.
        """
        if not self.loaded:
            self._read()
        place = like.device, like.dtype
        if place != self.place:
            self.net.to(*place)
            self.place = place

    def _read(self) -> None:
        adapted = self.net if isinstance(self.net, AdaptedModel) else None
        state = None
        if self.checkpoint is None and adapted and (adapted.complete or not self.allow_random):
            self.checkpoint, state = adapted.published, adapted.published_state()
        elif self.checkpoint is None and not self.allow_random:
            self.checkpoint = published_weights(self.model)
        if self.checkpoint is not None:
            state = state or load_state(self.checkpoint, allow_pickle=self.allow_pickle)
            load = adapted.load_weights if adapted else partial(load_weights, self.net)
            unset = load(state, source=self.checkpoint)
            own = self.net.state_dict()
            print_log(
                f'The teacher {type(self.net).__name__} has {len(own) - len(unset)} of its '
                f'{len(own)} weights from {self.checkpoint}.',
                'current',
            )
            self.digest = digest_of(own)
        elif self.allow_random:
            print_log(
                'The teacher has no checkpoint: its weights are random.', 'current', logging.WARNING
            )
        else:
            raise ValueError(
                'The teacher has no weights, and no package publishes any for its config: set '
                'teacher_checkpoint to a file or URL (or allow_random_teacher=True to train '
                'without).'
            )
        self.net.eval()
        self.loaded = True

    def probe(self, taps: Sequence[Tap], asked: Size, channels: int) -> Probe:
        """Run once to learn the taps' shapes and call counts.

        Args:
            taps (Sequence[Tap]): What to record.
            asked (tuple[int, int]): Height and width of the images; others
                that the network names, if it does not take them.
            channels (int): Channels of the student's images.

        Returns:
            Probe: What was seen.

        Raises:
            TapUnreached: If the network takes no such images.
        """
        # whatever its own preprocessor would make of them
        size = tuple(math.ceil(side / self.sizes.divisor) * self.sizes.divisor for side in asked)
        sizes = [size, *named_sizes(self.net), *USUAL_SIZES]
        if self.sizes.fixed is not None:
            sizes, size = [self.sizes.fixed], self.sizes.fixed
        seen = probe_blank(self.net, taps, sizes, [channels])
        if seen.size != size and not self._takes(tuple(2 * x for x in seen.size), taps, channels):
            self.sizes.fixed = seen.size
            print_log(
                f'The teacher takes images of {seen.size[0]} x {seen.size[1]} only: others are '
                'resized to that for it.',
                'current',
            )
        elif seen.size == size and self.sizes.fixed is None:
            seen.features.share = tuple(a / b for a, b in zip(asked, size))
        if self.sizes.fixed is None and self.sizes.divisor == 1 and taps:
            self.sizes.divisor = needed_divisor(self.net, taps, min(seen.size), channels)
        self.num_calls, self.clone, self.grids = seen.num_calls, seen.clone, seen.grids
        return seen

    def _takes(self, size: Size, taps: Sequence[Tap], channels: int) -> bool:
        try:
            probe_blank(self.net, taps, [size], [channels])
        except TapUnreached:
            return False
        return True

    def convert(
        self, inputs: Tensor, data_samples: list | dict | None
    ) -> tuple[Tensor, list | dict | None, tuple[float, float]]:
        """Make the student's batch the teacher's.

        Args:
            inputs (Tensor): The student's images ``(N, C, H, W)``.
            data_samples (list | dict, optional): Their data samples.

        Returns:
            tuple: Images, data samples and the share of height and width
            that is no added padding.
        """
        return self.sizes(self.inputs(inputs, data_samples), data_samples)

    @torch.no_grad()
    def __call__(
        self,
        inputs: Tensor,
        data_samples: list | dict | None,
        taps: Sequence[Tap],
        proposals: Sequence[Tensor] | None = None,
    ) -> Features:
        """Compute features of a batch made for the student.

        The forward ends at the last of the taps: for features of the
        backbone neither neck nor heads run.

        Args:
            inputs (Tensor): The student's images ``(N, C, H, W)``.
            data_samples (list | dict, optional): Their data samples.
            taps (Sequence[Tap]): What to record, of those probed.
            proposals (Sequence[Tensor], optional): ``(n, 5)`` boxes, of each
                stage of the student, that the RoI head scores instead of its
                own. Defaults to None.

        Returns:
            Features: The features, one for each call of the tapped module.
        """
        inputs, data_samples, share = self.convert(inputs, data_samples)
        if self.acceleration.pending:
            every = list(self.num_calls)
            self.net = self.acceleration.fit(
                self.net,
                lambda net: self._forward(net, inputs, data_samples, every, proposals),
                [*every, *map(Tap, self.grids)],
            )
        features = self._forward(self.net, inputs, data_samples, taps, proposals)
        features.size, features.share = tuple(inputs.shape[-2:]), share
        return features

    def _forward(
        self,
        net: nn.Module,
        inputs: Tensor,
        data_samples: list | dict | None,
        taps: Sequence[Tap],
        proposals: Sequence[Tensor] | None,
    ) -> Features:
        inputs = self.acceleration.convert(inputs)
        calls = {tap: self.num_calls[tap] for tap in taps}
        recorder = Recorder(net, taps, calls, self.clone, self.grids)
        with self.acceleration.context(net), recorder:
            if proposals is None:
                run(net, inputs, data_samples)
            else:
                forward_proposals(net, inputs, proposals, taps)
        return recorder.features


def _build(cfg: dict, data_preprocessor: dict | None) -> tuple[nn.Module, nn.Module | None]:
    """Build a teacher, and the data preprocessor that says what it sees."""
    net = MODELS.build(cfg)
    own = getattr(net, 'data_preprocessor', None)
    if cfg.get('data_preprocessor') or getattr(own, '_enable_normalize', False):
        return net, own
    if data_preprocessor is None:
        print_log(
            f'The teacher {type(net).__name__} names no data_preprocessor: it gets the images '
            'normalised as the student does.',
            'current',
        )
        return net, None
    takes_mean = own is not None and 'mean' in signature(type(own)).parameters
    kind = type(own) if takes_mean else ImgDataPreprocessor
    preprocessor = MODELS.build({'type': kind, **data_preprocessor})
    if own is not None:
        net.data_preprocessor = preprocessor
    return net, preprocessor
