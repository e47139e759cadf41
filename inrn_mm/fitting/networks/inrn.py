"""Single-stage INRN: INRe blocks that hold an image or a video (Fig. 1b)."""

from collections.abc import Sequence

from mmengine.registry import MODELS
from torch import Tensor, nn

from ...layers import PositionalEncoding
from .base import FittingNet
from .inrn_parts import Injection, PixelStem, Stage, TimeStem
from .upsampling import choose_grid, crop


@MODELS.register_module()
class SingleStageINRN(FittingNet):
    """INRN for fitting, supervised by its output alone (Sec. 2.3, Fig. 1b).

    ``kind='frame'`` maps a time to a frame, as in Table 1: the sinusoidal
    embedding, two linear layers to a small grid, then stages that enlarge it.
    ``kind='pixel'`` maps coordinates to colours: the embedding and a linear
    layer, then stages that keep the size; their convolutions see the
    neighbouring coordinates. A head, 1x1, makes the colours of both.

    A stage with an inner width ``hidden`` begins with an INRe block of that
    width, without residual, whose output PixelShuffle spreads; one without
    begins with a 1x1 convolution, if width or stride ask for it. ``blocks``
    residual INRe blocks follow.

    ===============  ======  ================  ======  =====================
    arch             grid    widths            hidden  INRe blocks
    ===============  ======  ================  ======  =====================
    ``mlp``          25      100,50,25,24,24   512     only MLP
    ``front``        25      as ``mlp``        512     3x3 before, 1 to 4
    ``post``         25      as ``mlp``        512     five 3x3 in stage 1
    ``interleaved``  25      as ``mlp``        512     3x3 between, 1 to 4
    ``s``            30      64 (all five)     none    one after 2, 3 and 4
    ``pixel``        none    64                none    three
    ===============  ======  ================  ======  =====================

    At 720 x 1280 the first four have 3.54, 4.36, 15.34 and 12.98 million
    parameters, the rows of Table 1; ``s`` has 2.51 and 2.87 at r = 1 and 0.5,
    INRN-S of Table 2.

    Beyond the paper, learned grids stand beside or, with ``levels=0``,
    instead of the sinusoidal embedding.

    Args:
        shape (Sequence[int]): Frames, height, width and channels.
        kind (str): ``'frame'`` or ``'pixel'``. Defaults to ``'frame'``.
        arch (str | dict, optional): A name of the table, or a dict with
            ``widths`` and, each one value for all stages or a list,
            ``hidden``, ``orders`` and ``blocks``; with ``grid_channels``
            too. Defaults to None: ``'interleaved'`` or ``'pixel'``.
        hidden (int, optional): Inner width of the stages that have one,
            instead of the arch's. Defaults to None.
        compression (float): Coefficient r of the residual blocks.
            Defaults to 0.5, INRN-S's.
        kernel_size (int): Kernel of the convolutions. Defaults to 3.
        base (float): Ratio of frequencies of the sinusoidal embedding. Defaults to 1.25.
        levels (int, optional): Frequencies of that embedding; None, for pixels,
            as many as have a period of at least two pixels, since what is
            above is noise to the pixels. Defaults to 40.
        stem_width (int): Width between embedding and grid of frames.
            Defaults to 512.
        time_grids (Sequence[dict]): For frames: learned maps of ``channels``
            channels, one for ``every`` so many frames and linear in between,
            added before the stage ``stage`` (0 to the number of stages);
            their size is that stage's over ``scale``, 1 if left out.
            Defaults to (), none.
        grids (dict, optional): For pixels: arguments of
            :class:`GridEncoding`. Defaults to None.
        grid (Sequence[int], optional): Rows and columns of the first grid of
            frames. Defaults to None, see :func:`choose_grid`.
        strides (Sequence[int], optional): Strides of the stages of frames.
            Defaults to None, likewise.
        act_cfg (dict): Activation. Defaults to ``dict(type='GELU')``.

    Raises:
        ValueError: If the kind or the arch is unknown, a list has not an
            entry for each stage, or there is no embedding at all.

    Examples:
        >>> import torch
        >>> net = SingleStageINRN((132, 72, 128, 3), arch='s')
        >>> net(torch.tensor([0., 0.5])).shape
        torch.Size([2, 3, 72, 128])
    """

    table_1 = dict(grid_channels=25, widths=[100, 50, 25, 24, 24], hidden=512)
    arch_settings: dict[str, dict] = {
        'mlp': dict(table_1, orders='mlp-mlp'),
        'front': dict(table_1, orders=['conv-mlp'] * 4 + ['mlp-mlp']),
        'post': dict(table_1, orders=['mlp' + '-conv' * 5 + '-mlp'] + ['mlp-mlp'] * 4),
        'interleaved': dict(table_1, orders=['mlp-conv-mlp'] * 4 + ['mlp-mlp']),
        's': dict(grid_channels=30, widths=[64] * 5, blocks=[0, 1, 1, 1, 0]),
        'pixel': dict(widths=[64], blocks=3),
    }

    def __init__(
        self,
        shape: Sequence[int],
        kind: str = 'frame',
        arch: str | dict | None = None,
        hidden: int | None = None,
        compression: float = 0.5,
        kernel_size: int = 3,
        base: float = 1.25,
        levels: int | None = 40,
        stem_width: int = 512,
        time_grids: Sequence[dict] = (),
        grids: dict | None = None,
        grid: Sequence[int] | None = None,
        strides: Sequence[int] | None = None,
        act_cfg: dict = dict(type='GELU'),
    ) -> None:
        super().__init__(shape)
        if kind not in ('frame', 'pixel'):
            raise ValueError(f"kind is 'frame' or 'pixel', not '{kind}'.")
        self.kind = kind
        if levels is None:
            if kind == 'frame':
                raise ValueError('levels=None is for pixels: give a number.')
            levels = PositionalEncoding.num_levels(base, max(shape[1:3]))
        arch = self._parse_arch(arch or ('interleaved' if kind == 'frame' else 'pixel'))
        widths = arch['widths']
        size = shape[1:3]
        if kind == 'frame':
            size, strides = choose_grid(size, len(widths), grid=grid, strides=strides)
            width = arch.get('grid_channels', widths[0])
            self.stem = TimeStem(base, levels, stem_width, width, size, act_cfg) if levels else None
        else:
            strides, width = [1] * len(widths), widths[0]
            self.stem = PixelStem(self.num_coordinates, base, levels, grids, width, act_cfg)
        if len(strides) != len(widths):
            raise ValueError(f'{len(widths)} widths need as many strides, got {list(strides)}.')
        if hidden:
            arch['hidden'] = [own and hidden for own in arch['hidden']]
        common = dict(compression=compression, kernel_size=kernel_size, act_cfg=act_cfg)
        width = self._make_stages(arch, width, size, strides, time_grids, **common)
        if self.stem is None and not len(self.injections[0]):
            raise ValueError('levels=0 leaves no embedding: give a time grid with stage=0.')
        self.head = nn.Conv2d(width, self.shape[3], 1)
        if kind == 'pixel':
            self.halo = sum(
                conv.kernel_size[0] // 2
                for conv in self.stages.modules()
                if isinstance(conv, nn.Conv2d)
            )

    def _make_stages(
        self,
        arch: dict,
        width: int,
        size: Sequence[int],
        strides: Sequence[int],
        time_grids: Sequence[dict],
        **common,
    ) -> int:
        """Make the stages and what is added before each and behind the last.

        Args:
            arch (dict): What :meth:`_parse_arch` returns.
            width (int): Channels of the first grid.
            size (Sequence[int]): Height and width of the first grid.
            strides (Sequence[int]): Strides of the stages.
            time_grids (Sequence[dict]): See the class.
            **common: Arguments of every :class:`Stage`.

        Returns:
            int: Channels behind the last stage.
        """
        self.stages = nn.ModuleList()
        self.injections = nn.ModuleList()
        for i in range(len(strides) + 1):
            added = [cfg for cfg in time_grids if cfg['stage'] == i]
            self.injections.append(
                nn.ModuleList(
                    Injection(width, size, self.shape[0], **_without(cfg, 'stage')) for cfg in added
                )
            )
            if i == len(strides):
                break
            names = dict(widths='out_channels', hidden='hidden', orders='order')
            own = {name: arch[key][i] for key, name in names.items()}
            blocks = arch['blocks'][i]
            self.stages.append(Stage(width, stride=strides[i], num_blocks=blocks, **own, **common))
            width = arch['widths'][i]
            size = [side * strides[i] for side in size]
        return width

    def forward(self, x: Tensor) -> Tensor:
        """Map times ``(B,)``, or coordinates ``(B, H, W, D)``, to colours
        ``(B, C, H, W)``."""
        times = x
        x = 0.0 if self.stem is None else self.stem(x)
        for stage, injections in zip([*self.stages, None], self.injections):
            for injection in injections:
                x = x + injection(times)
            if stage is not None:
                x = stage(x)
        x = self.head(x) + 0.5
        return crop(x, self.shape[1:3]) if self.kind == 'frame' else x

    def _parse_arch(self, arch: str | dict) -> dict:
        """Give an arch a list entry for each stage."""
        if isinstance(arch, str):
            if arch not in self.arch_settings:
                raise ValueError(
                    f"Unknown arch '{arch}': it is one of "
                    f'{", ".join(self.arch_settings)}, or a dict '
                    'with widths.'
                )
            arch = self.arch_settings[arch]
        arch = {'hidden': None, 'orders': 'mlp-conv-mlp', 'blocks': 0, **arch}
        number = len(arch['widths'])
        for key in ('hidden', 'orders', 'blocks'):
            if not isinstance(arch[key], (list, tuple)):
                arch[key] = [arch[key]] * number
            if len(arch[key]) != number:
                raise ValueError(
                    f'{key}={arch[key]} must have an entry for each of the {number} widths.'
                )
        return arch


def _without(cfg: dict, key: str) -> dict:
    return {name: value for name, value in cfg.items() if name != key}
