"""The INRe block: the paper's Sec. 2.2, in one place for every network."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch.utils.checkpoint as cp
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..utils.checks import WIDEST, check_number, check_whole


@MODELS.register_module()
class INReBlock(BaseModule):
    """Implicit neural representation block (paper, Sec. 2.2, Fig. 1a).

    An MLP that acts per position (1x1 convolutions), interleaved with a
    spatial convolution, compressing the channels by ``compression`` and
    expanding them again::

        MLP 1x1   C   -> C/r    norm  act
        conv kxk  C/r -> C/r    norm  act
        MLP 1x1   C/r -> C      norm  (+ input)  act

    which holds ``C^2 (2/r + k^2/r^2)`` convolution weights. ``compression=1``
    is the paper's "flat" architecture (Table 2).

    Args:
        in_channels (int): Input channels C.
        out_channels (int, optional): Output channels. Defaults to None,
            which means ``in_channels``.
        compression (float): The coefficient r; the inner layers have
            ``round(in_channels / r)`` channels. Defaults to 2.
        hidden_channels (int, optional): Inner channels, instead of those that
            ``compression`` gives. Defaults to None.
        order (str): Kinds of the layers from input to output, ``'mlp'`` or
            ``'conv'``, joined by ``-``: two or more. The rows of Table 1 are
            ``'mlp-mlp'``, ``'conv-mlp-mlp'``, ``'mlp-mlp-conv'`` and
            ``'mlp-conv-mlp'``. Defaults to ``'mlp-conv-mlp'``.
        kernel_size (int): Odd kernel size of the ``'conv'`` layers.
            Defaults to 3.
        residual (bool): Add the input before the last activation.
            Defaults to True.
        drop_path_rate (float): Stochastic depth on the residual branch.
            Defaults to 0.
        with_cp (bool): Recompute the block in the backward pass to save
            memory. Defaults to False.
        norm_cfg (dict, optional): Norm after every layer; None leaves it out
            and gives the convolutions a bias. Defaults to BN.
        act_cfg (dict, optional): Activation. Defaults to GELU.
        init_cfg (dict, optional): Initialisation. Defaults to None.

    Raises:
        ValueError: If the order is unknown, the kernel even, the inner width
            below one channel, or a residual is asked for where input and
            output channels differ.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int | None = None,
        compression: float = 2,
        hidden_channels: int | None = None,
        order: str = 'mlp-conv-mlp',
        kernel_size: int = 3,
        residual: bool = True,
        drop_path_rate: float = 0.0,
        with_cp: bool = False,
        norm_cfg: dict | None = dict(type='BN'),
        act_cfg: dict | None = dict(type='GELU'),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        # mmcv.cnn costs half a second to import: paid when a net is built.
        from mmcv.cnn import ConvModule, build_activation_layer
        from mmcv.cnn.bricks import DropPath

        out_channels = in_channels if out_channels is None else out_channels
        check_whole('in_channels', in_channels, least=1, most=WIDEST)
        check_whole('out_channels', out_channels, least=1, most=WIDEST)
        check_number('drop_path_rate', drop_path_rate, least=0, below=1)
        check_whole('kernel_size', kernel_size, least=1, most=999)
        hidden_channels = _inner_channels(in_channels, compression, hidden_channels)
        kinds = _parse_order(order)
        if kernel_size % 2 == 0:
            raise ValueError(
                f'kernel_size must be odd to keep the size of the map, got {kernel_size}.'
            )
        if residual and in_channels != out_channels:
            raise ValueError(
                f'A residual needs equal widths, got {in_channels} input and '
                f'{out_channels} output channels; set residual=False.'
            )
        self.residual = residual
        self.with_cp = with_cp

        widths = [in_channels, *[hidden_channels] * (len(kinds) - 1), out_channels]
        self.layers = nn.Sequential()
        for i, kind in enumerate(kinds, 1):
            kernel = kernel_size if kind == 'conv' else 1
            # the last activation comes after the residual
            act = act_cfg if i < len(kinds) else None
            cfg = dict(padding=kernel // 2, norm_cfg=norm_cfg, act_cfg=act)
            self.layers.append(ConvModule(*widths[i - 1 : i + 1], kernel, **cfg))
        self.drop_path = DropPath(drop_path_rate) if drop_path_rate else nn.Identity()
        self.act = build_activation_layer(act_cfg) if act_cfg else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, C_in, H, W)`` to ``(N, C_out, H, W)``."""
        if self.with_cp and x.requires_grad:
            return cp.checkpoint(
                self._forward,
                x,
                use_reentrant=False,
                context_fn=lambda: (nullcontext(), self._recomputing()),
            )
        return self._forward(x)

    @contextmanager
    def _recomputing(self) -> Iterator[None]:
        """Keep the statistics of the batch norms: they have seen the batch."""
        norms = [m for m in self.modules() if isinstance(m, _BatchNorm)]
        kept = [(m.momentum, m.num_batches_tracked) for m in norms]
        for norm, (_, count) in zip(norms, kept):
            # SyncBN wants a counter: it gets one that is thrown away
            norm.momentum = 0.0
            norm.num_batches_tracked = None if count is None else count.clone()
        try:
            yield
        finally:
            for norm, values in zip(norms, kept):
                norm.momentum, norm.num_batches_tracked = values

    def _forward(self, x: Tensor) -> Tensor:
        out = self.layers(x)
        if self.residual:
            out = x + self.drop_path(out)
        return self.act(out)


def _parse_order(order: str) -> list[str]:
    """Split a block's order into its layers."""
    kinds = order.split('-') if isinstance(order, str) else []
    if len(kinds) < 2 or set(kinds) - {'mlp', 'conv'}:
        raise ValueError(
            f"Unknown block order '{order}': join two or more of 'mlp' "
            "and 'conv' by '-', for example 'mlp-conv-mlp'."
        )
    return kinds


def _inner_channels(channels: int, compression: float, hidden_channels: int | None) -> int:
    """Count the channels of a block's inner layers."""
    if hidden_channels is not None:
        check_whole('hidden_channels', hidden_channels, least=1, most=WIDEST)
        return hidden_channels
    check_number('compression', compression, above=0)
    inner = round(min(channels / compression, 2 * WIDEST))  # a tiny coefficient is no overflow
    if inner < 1:
        raise ValueError(
            f'compression={compression} leaves no channel of '
            f'{channels}; use a coefficient of at most {channels}.'
        )
    check_whole(f'The inner width that compression={compression} gives', inner, most=WIDEST)
    return inner
