"""The model of a fitting config: network, target and loss."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor

from .losses import FittingLoss, target_moments
from .memory import check_memory
from .networks import FittingNet
from .precision import full_precision
from .rendering import coordinates, render, render_frame, trim
from .resize import check_crop
from .signal import Signal, load_signal


@MODELS.register_module()
class SignalFitter(BaseModel):
    """Fits a network to a signal that stays on the device.

    A training step takes frame numbers, or numbers of tiles, not images: the
    target moves to the device with the model, as the integers that it is
    stored as, and is in no checkpoint.

    Args:
        net (dict | FittingNet): The network, or its config without ``shape``.
        signal (Signal | dict): The target; a dict has the arguments of
            :func:`load_signal`, or, to decode only, ``shape`` and optionally
            ``max_value`` and ``fps``.
        loss (dict): Defaults to ``dict(type='FittingLoss')``.
        tile (int, optional): Train pixel networks on square windows of so
            many pixels a side, which bounds the memory, instead of on whole
            frames. Defaults to None.
        channels_last (bool): Memory format of the convolutions.
            Defaults to True.
        compile (bool | dict): Run the network through ``torch.compile``, with
            these arguments, in training. Defaults to False.
        log_interval (int): Losses are summed on the device and read once in
            so many steps. Defaults to 50.
        data_preprocessor (dict, optional): mmengine's, which moves the frame
            numbers. Defaults to None.

    Raises:
        ValueError: If a tile is asked for with a network of whole frames, or
            is not positive.
    """

    def __init__(
        self,
        net: dict | FittingNet,
        signal: Signal | dict,
        loss: dict = dict(type='FittingLoss'),
        tile: int | None = None,
        channels_last: bool = True,
        compile: bool | dict = False,
        log_interval: int = 50,
        data_preprocessor: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        if not isinstance(signal, Signal):
            signal = Signal(**signal) if 'shape' in signal else load_signal(**signal)
        self.signal = Signal(None, signal.shape, signal.max_value, signal.fps)
        self.register_buffer('target', signal.data, persistent=False)
        self.net = (
            net if isinstance(net, FittingNet) else MODELS.build(dict(net, shape=signal.shape))
        )
        self.loss: FittingLoss = MODELS.build(loss)
        if tile is not None and (self.net.kind == 'frame' or tile < 1):
            raise ValueError(
                f'tile={tile} needs a network of pixel coordinates, such as '
                f'SIREN, and at least one pixel; {type(self.net).__name__} '
                'makes whole frames.'
            )
        height, width = self.signal.shape[1:3]
        if tile is not None and tile >= max(height, width):
            tile = None
        self.tile = tile
        corners = [(top, left) for top in _starts(height, tile) for left in _starts(width, tile)]
        self.register_buffer('corners', torch.tensor(corners), persistent=False)
        if channels_last:
            for module in self.net.modules():
                if isinstance(module, torch.nn.Conv2d):
                    module.to(memory_format=torch.channels_last)
        self._compiled: Callable | None = None
        if compile:
            options = compile if isinstance(compile, dict) else {}
            # not the module: it would be in checkpoints a second time
            self._compiled = torch.compile(self.net.forward, **options)
        self.log_interval = log_interval
        self._steps = 0
        self._sums: dict[str, Tensor] = {}
        self._moments: tuple[Tensor, Tensor] | None = None

    @property
    def num_parameters(self) -> int:
        """Numbers that decoding needs."""
        return self.net.num_parameters

    @property
    def num_items(self) -> int:
        """Training items of an epoch: frames, or overlapping tiles."""
        return self.signal.shape[0] * len(self.corners)

    def forward(
        self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor'
    ) -> Tensor | dict[str, Tensor] | list[dict]:
        """Compute losses or frames, as every model of mmengine.

        Args:
            inputs (Tensor): Integers of shape ``(B,)``: item numbers (see
                :attr:`num_items`) for ``'loss'``, frame numbers otherwise.
            data_samples (list, optional): Not used. Defaults to None.
            mode (str): ``'loss'``, ``'predict'`` or ``'tensor'``.
                Defaults to ``'tensor'``.

        Returns:
            dict | list[dict] | Tensor: The losses; for each frame ``pred``,
            ``gt`` of shape ``(C, H, W)`` in [0, 1] and its number ``frame``;
            or the frames ``(B, C, H, W)``, not clamped.

        Raises:
            ValueError: If the mode is unknown, or the target is needed and
                not there.
        """
        if mode == 'loss':
            return self._losses(inputs)
        if mode not in ('predict', 'tensor'):
            raise ValueError(f"Unknown mode '{mode}': it is 'loss', 'predict' or 'tensor'.")
        frames = self._frames(inputs)
        if mode == 'tensor':
            return frames
        self._need_target()
        levels = self.signal.max_value
        gt = self._target(inputs)
        pred = frames.float().clamp(0, 1)
        if levels > 1:
            pred = (pred * levels).round() / levels
        return [dict(pred=p, gt=g, frame=int(i)) for p, g, i in zip(pred, gt, inputs.tolist())]

    def train_step(self, data: dict, optim_wrapper) -> dict[str, Tensor]:
        """Train for a step as mmengine does, but return losses only now and then.

        The runner reads every loss that it gets, and so waits for the device.
        """
        with optim_wrapper.optim_context(self):
            data = self.data_preprocessor(data, True)
            losses = self._run_forward(data, mode='loss')
        loss, log_vars = self.parse_losses(losses)
        optim_wrapper.update_params(loss)
        for name, value in log_vars.items():
            self._sums[name] = self._sums.get(name, 0) + value.detach()
        self._steps += 1
        if self._steps < self.log_interval:
            return {}
        means = {name: s / self._steps for name, s in self._sums.items()}
        self._steps, self._sums = 0, {}
        return means

    def _losses(self, items: Tensor) -> dict[str, Tensor]:
        self._need_target()
        frames = items // len(self.corners)
        net = self._compiled or self.net
        if self.net.kind == 'frame':
            target = self._target(frames)
            pred = self._run(net, frames, target)
        else:
            rows, columns = self._window(items % len(self.corners))
            target = self._target(frames, rows, columns)
            pred = trim(net(coordinates(self.net, frames, rows, columns)), self.net.halo)
        return self.loss(pred, target, self._target_moments(target))

    def _window(self, corner: Tensor) -> tuple[Tensor, Tensor]:
        """Find rows ``(B, h)`` and columns ``(B, w)`` of tiles."""
        height, width = (min(self.tile or side, side) for side in self.signal.shape[1:3])
        top, left = self.corners[corner].unbind(1)
        return (
            top[:, None] + torch.arange(height, device=top.device),
            left[:, None] + torch.arange(width, device=top.device),
        )

    def _target(
        self, frames: Tensor, rows: Tensor | None = None, columns: Tensor | None = None
    ) -> Tensor:
        """Take frames ``(B, C, H, W)`` of the target, or windows, in [0, 1]."""
        pixels = (
            self.target[frames]
            if rows is None
            else self.target[frames[:, None, None], rows[:, :, None], columns[:, None]]
        )
        return pixels.permute(0, 3, 1, 2).float() / self.signal.max_value

    def _target_moments(self, target: Tensor) -> tuple[Tensor, Tensor] | None:
        """Compute SSIM's share of the target; keep it where it is always the same."""
        if self.num_items > 1 or self.loss.alpha == 1:
            return None
        if self._moments is None or self._moments[0].device != target.device:
            # kept for all steps, and too coarse in half precision
            with full_precision(target):
                self._moments = target_moments(target)
        return self._moments

    def _need_target(self) -> None:
        if self.target is None:
            raise ValueError(
                'This fitter was built without its target, to decode only: '
                'give signal=dict(path=...).'
            )

    def _run(self, net: Callable, frames: Tensor, target: Tensor | None) -> Tensor:
        times = self.net.times(frames)
        if self.net.needs_target and target is not None:
            return net(times, target)
        return net(times)

    def _frames(self, frames: Tensor) -> Tensor:
        """Make whole frames of the training size, in chunks if need be."""
        if self.net.kind == 'frame':
            target = None if self.target is None else self._target(frames)
            return self._run(self.net, frames, target)
        height, width = self.signal.shape[1:3]
        rows, columns = torch.arange(height), torch.arange(width)
        return torch.cat([render(self.net, frame[None], rows, columns) for frame in frames])

    @torch.inference_mode()
    def decode(
        self,
        frames: Sequence[float] | None = None,
        size: Sequence[int] | None = None,
        crop: Sequence[int] | None = None,
        chunk: int = 2**18,
    ) -> Iterator[Tensor]:
        """Decode frames one by one; the target is not needed.

        Pixel networks are evaluated at the coordinates of the wanted pixels.
        One with convolutions is evaluated at the training size's spacing, on
        as many shifted lattices as give the next whole multiple of that size,
        and resized. Frames of the others are resized (bicubic).

        Args:
            frames (Sequence[float], optional): Frame numbers, from 0; a
                fraction lies between frames. Defaults to None, all.
            size (Sequence[int], optional): Height and width.
                Defaults to None, the signal's.
            crop (Sequence[int], optional): Top, left, height and width in
                pixels of ``size``. Defaults to None, all.
            chunk (int): Pixels that a pixel network computes at a time.
                Defaults to 262144.

        Yields:
            Tensor: Shape ``(C, h, w)``, float32 in [0, 1].

        Raises:
            ValueError: If a frame number or the crop is outside, or a size
                is not positive.
        """
        count, height, width, _ = self.signal.shape
        frames = range(count) if frames is None else frames
        size = tuple(size or (height, width))
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'size is a height and a width, got {size}.')
        crop = tuple(crop or (0, 0, *size))
        check_crop(crop, size)
        outside = [i for i in frames if not 0 <= i <= count - 1]
        if outside:
            raise ValueError(
                f'There is no frame {outside[0]}: the signal has {count}, numbered from 0.'
            )
        self.eval()
        for i in frames:
            number = torch.tensor([i], dtype=torch.float, device=self.device)
            yield render_frame(self.net, number, size, crop, chunk)[0].float().clamp(0, 1)

    def to_pixels(self, frame: Tensor) -> np.ndarray:
        """Round a decoded frame to the signal's levels.

        Args:
            frame (Tensor): Shape ``(C, H, W)``, in [0, 1].

        Returns:
            np.ndarray: Shape ``(H, W, C)``; uint8, uint16, or float32 for a
            floating-point signal.
        """
        levels = self.signal.max_value
        pixels = frame.detach().float().clamp(0, 1).permute(1, 2, 0)
        pixels = pixels.cpu().numpy()
        if levels == 1:
            return pixels
        kind = np.uint8 if levels == 255 else np.uint16
        return np.round(pixels * levels).astype(kind)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.corners.device

    def check_memory(self, batch_size: int) -> None:
        """Refuse a training step that cannot fit into the memory.

        Args:
            batch_size (int): Items of a step.

        Raises:
            MemoryError: Naming what it needs and what makes it smaller.
        """
        check_memory(self, batch_size)


def _starts(side: int, tile: int | None) -> list[int]:
    """Place tiles half a tile apart, the last at the border."""
    if tile is None or tile >= side:
        return [0]
    return [*range(0, side - tile, max(tile // 2, 1)), side - tile]
