"""INRN, the multi-stage network of INRe blocks (paper, Sec. 2.3, Fig. 1c)."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from mmengine.registry import MODELS
from mmengine.utils.dl_utils.parrots_wrapper import _BatchNorm
from torch import Tensor, nn

from ..layers import INReBlock
from ..utils.checks import WIDEST, check_number, check_whole
from .stage import Stage, Stem

NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm)
# E[gelu(x)^2] of a unit normal is 0.425 against relu's 0.5: close enough to take
# relu's gain, since a norm follows each layer.
INIT_CFG = [
    dict(type='Kaiming', layer='Conv2d', nonlinearity='relu'),
    dict(type='Constant', val=1, layer=['_BatchNorm', 'GroupNorm', 'LN2d']),
]


@MODELS.register_module()
class INRN(BaseModule):
    """Implicit Neural Representation Network as a backbone.

    `Rethinking Implicit Neural Representations for Vision Learners`, Sec. 2.3
    (multi-stage), Tables 2 and 3. A stem, then stages of
    :class:`~inrn_mm.layers.INReBlock`; a 3x3 convolution of stride 2 leads
    from each stage to the next.

    =============  ===================  ===========  ====  =======
    arch           widths               depths       r     stem
    =============  ===================  ===========  ====  =======
    ``s``          32, 64, 128          2, 8, 2      0.5   conv3
    ``m``          64, 128, 256, 512    2, 2, 8, 2   2     conv7
    ``l``          128, 256, 512, 1024  2, 2, 8, 2   2     conv7
    ``s-uniform``  as ``s``             4, 4, 4      0.5   conv3
    ``m-uniform``  as ``m``             4, 4, 3, 3   2     conv7
    ``l-uniform``  as ``l``             4, 4, 3, 3   2     conv7
    =============  ===================  ===========  ====  =======

    The uniform ones are "Before" in Table 3. With the ``conv7`` stem the
    stages have strides 4, 8, 16, 32; with ``conv3`` 1, 2, 4.

    Args:
        arch (str | dict): A name of the table, or a dict with ``widths`` and
            ``depths`` and optionally ``compression`` and ``stem``.
            Defaults to ``'m'``.
        compression (float, optional): Compression coefficient r of the
            blocks; 1 is the flat architecture. Defaults to None, the arch's.
        order (str): Layers of a block, see :class:`INReBlock`.
            Defaults to ``'mlp-conv-mlp'``.
        kernel_size (int): Kernel of the blocks' convolutions. Defaults to 3.
        residual (bool): Residual blocks. Defaults to True.
        stem (str, optional): ``'conv7'`` (7x7 stride 2 and a max-pool, stride
            4 in all), ``'deep'`` (three 3x3 and a max-pool, stride 4) or
            ``'conv3'`` (3x3, stride 1, for small images).
            Defaults to None, the arch's.
        in_channels (int): Channels of the images. Defaults to 3.
        out_indices (int | Sequence[int], optional): Stages whose maps are
            returned; negative ones count from the last. Stages behind the
            last of them are not built; weights of the whole network load
            nevertheless. Defaults to None, all stages.
        frozen_stages (int): 0 freezes the stem, i the stem and the first i
            stages (parameters and norm statistics). Defaults to -1, none.
        norm_eval (bool): Keep all norm layers in eval mode while training.
            Defaults to False.
        drop_path_rate (float): Stochastic depth rate of the last block, rising
            linearly from 0 at the first. Defaults to 0.
        with_cp (bool): Activation checkpointing in the blocks.
            Defaults to False.
        zero_init_residual (bool): Start residual branches at zero (their last
            norm's weight), which evens out the gradients of the stages.
            Defaults to True.
        norm_cfg (dict): Norm layers: BN, SyncBN, GN (with ``num_groups``) or
            LN2d. Defaults to ``dict(type='BN')``.
        act_cfg (dict): Activation. Defaults to ``dict(type='GELU')``.
        init_cfg (dict | list[dict], optional): Initialisation.
            Defaults to None: normal, variance kept through GELU.

    Raises:
        ValueError: If arch, stem, block order, a stage index or
            ``frozen_stages`` does not exist.

    Examples:
        >>> import torch
        >>> model = INRN('m')
        >>> [tuple(x.shape) for x in model(torch.rand(1, 3, 64, 64))]
        [(1, 64, 16, 16), (1, 128, 8, 8), (1, 256, 4, 4), (1, 512, 2, 2)]
    """

    arch_settings: dict[str, dict] = {
        's': dict(widths=[32, 64, 128], depths=[2, 8, 2], compression=0.5, stem='conv3'),
        'm': dict(widths=[64, 128, 256, 512], depths=[2, 2, 8, 2]),
        'l': dict(widths=[128, 256, 512, 1024], depths=[2, 2, 8, 2]),
        's-uniform': dict(widths=[32, 64, 128], depths=[4, 4, 4], compression=0.5, stem='conv3'),
        'm-uniform': dict(widths=[64, 128, 256, 512], depths=[4, 4, 3, 3]),
        'l-uniform': dict(widths=[128, 256, 512, 1024], depths=[4, 4, 3, 3]),
    }

    def __init__(
        self,
        arch: str | dict = 'm',
        compression: float | None = None,
        order: str = 'mlp-conv-mlp',
        kernel_size: int = 3,
        residual: bool = True,
        stem: str | None = None,
        in_channels: int = 3,
        out_indices: int | Sequence[int] | None = None,
        frozen_stages: int = -1,
        norm_eval: bool = False,
        drop_path_rate: float = 0.0,
        with_cp: bool = False,
        zero_init_residual: bool = True,
        norm_cfg: dict = dict(type='BN'),
        act_cfg: dict = dict(type='GELU'),
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(INIT_CFG if init_cfg is None else init_cfg)
        arch = self._parse_arch(arch)
        widths, depths = arch['widths'], arch['depths']
        self.num_stages = len(depths)
        self.out_indices = self._parse_indices(out_indices, self.num_stages)
        check_whole('in_channels', in_channels, least=1, most=WIDEST)
        check_number('drop_path_rate', drop_path_rate, least=0, below=1)
        check_whole('frozen_stages', frozen_stages, least=-1)
        if frozen_stages > self.num_stages:
            raise ValueError(
                f'frozen_stages={frozen_stages} does not exist: the network '
                f'has {self.num_stages} stages (-1 freezes nothing, 0 the stem).'
            )
        self.frozen_stages = frozen_stages
        self.norm_eval = norm_eval
        self.zero_init_residual = zero_init_residual
        self.out_channels = [widths[i] for i in self.out_indices]

        conv_cfg = dict(norm_cfg=norm_cfg, act_cfg=act_cfg)
        block_cfg = dict(
            compression=arch.get('compression', 2) if compression is None else compression,
            order=order,
            kernel_size=kernel_size,
            residual=residual,
            with_cp=with_cp,
        )
        self.stem = Stem(stem or arch.get('stem', 'conv7'), in_channels, widths[0], conv_cfg)
        rates = torch.linspace(0, drop_path_rate, sum(depths), device='cpu').split(list(depths))
        self.stages = nn.ModuleList(
            Stage(widths[i - 1] if i else None, widths[i], rates[i].tolist(), conv_cfg, **block_cfg)
            # a stage behind the last one asked for would learn nothing
            for i in range(self.out_indices[-1] + 1)
        )
        # as in mmdet's ResNet: where each stage's map comes from
        self.res_layers = [f'stages.{i}' for i in range(len(self.stages))]
        self._freeze_stages()

    @property
    def feature_info(self) -> list[dict]:
        """Channels (``num_chs``), stride (``reduction``) and ``module`` of
        each map that is returned, under timm's names."""
        infos: list[dict] = []
        stride = self.stem.stride
        for i, stage in enumerate(self.stages):
            stride *= stage.stride
            if i in self.out_indices:
                channels = self.out_channels[len(infos)]
                infos.append(dict(num_chs=channels, reduction=stride, module=f'stages.{i}'))
        return infos

    def get_layer_depth(self, param_name: str, prefix: str = '') -> tuple[int, int]:
        """Get the depth of a parameter, for layer-wise learning rates.

        The stem has depth 0, each block one more than the block before it; a
        transition has the depth of the first block behind it.

        Args:
            param_name (str): Name of the parameter.
            prefix (str): Prefix of the backbone's names; what has another,
                such as a head, comes last. Defaults to ``''``.

        Returns:
            tuple[int, int]: The depth, and the number of depths.
        """
        counts = [stage.num_blocks for stage in self.stages]
        last = sum(counts) + 1
        if not param_name.startswith(prefix):
            return last, last + 1
        part, stage, block = (param_name[len(prefix) :].split('.') + ['', ''])[:3]
        if part != 'stages':
            return 0, last + 1
        stage = int(stage)
        block = max(int(block) + 1 - (self.stages[stage].stride > 1), 1)
        return sum(counts[:stage]) + block, last + 1

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Extract features.

        Args:
            x (Tensor): Images of shape ``(N, in_channels, H, W)``.

        Returns:
            tuple[Tensor]: A map ``(N, widths[i], H / s_i, W / s_i)`` for each
            stage i of ``out_indices``, the strides s as in the class's table
            (sizes are rounded up).
        """
        x = self.stem(x)
        outs = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i in self.out_indices:
                outs.append(x)
        return tuple(outs)

    def init_weights(self) -> None:
        """Initialise the weights, or load those of a ``Pretrained`` init."""
        done = self.is_init
        super().init_weights()
        cfgs = self.init_cfg
        cfgs = cfgs if isinstance(cfgs, (list, tuple)) else [cfgs]
        loaded = any(cfg and cfg['type'] == 'Pretrained' for cfg in cfgs)
        if self.zero_init_residual and not (loaded or done):
            for block in self.modules():
                norm = (
                    getattr(block.layers[-1], 'norm', None)
                    if isinstance(block, INReBlock) and block.residual
                    else None
                )
                if norm is not None:
                    nn.init.zeros_(norm.weight)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args, **kwargs) -> None:
        """Load, also of the whole network's weights, the stages that are there."""
        behind = tuple(f'{prefix}stages.{i}.' for i in range(len(self.stages), self.num_stages))
        for key in [key for key in state_dict if key.startswith(behind)]:
            del state_dict[key]
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

    def train(self, mode: bool = True) -> 'INRN':
        """Set the mode; frozen stages and, if asked, norms stay in eval."""
        super().train(mode)
        self._freeze_stages()
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, NORMS):
                    module.eval()
        return self

    def switch_to_deploy(self) -> None:
        """Fold the batch norms into the convolutions, for inference.

        Predictions stay the same up to rounding. The network is not to be
        trained afterwards; its weights fit ``INRN(norm_cfg=None)``.

        Raises:
            ValueError: If the norms are of another kind.
        """
        from mmcv.cnn import fuse_conv_bn  # late import, see INReBlock

        others = {
            type(m).__name__
            for m in self.modules()
            if isinstance(m, NORMS) and not isinstance(m, _BatchNorm)
        }
        if others:
            raise ValueError(
                f'{others.pop()} depends on the image and cannot '
                'be folded into convolutions; only networks with '
                'BN or SyncBN can be switched to deploy.'
            )
        self.eval()
        fuse_conv_bn(self).requires_grad_(False)

    def _freeze_stages(self) -> None:
        if self.frozen_stages < 0:
            return
        for module in [self.stem, *self.stages[: self.frozen_stages]]:
            module.eval()
            module.requires_grad_(False)

    @classmethod
    def _parse_arch(cls, arch: str | dict) -> dict:
        if isinstance(arch, str):
            if arch not in cls.arch_settings:
                raise ValueError(
                    f"Unknown arch '{arch}': choose one of "
                    f'{sorted(cls.arch_settings)} or give a dict with '
                    "'widths' and 'depths'."
                )
            return cls.arch_settings[arch]
        unknown = set(arch) - {'widths', 'depths', 'compression', 'stem'}
        if unknown or not {'widths', 'depths'} <= set(arch):
            raise ValueError(
                "An arch dict needs 'widths' and 'depths' and may have "
                f"'compression' and 'stem', got {sorted(arch)}."
            )
        widths, depths = arch['widths'], arch['depths']
        if not len(widths) or len(widths) != len(depths):
            raise ValueError(
                'An arch needs a width and a depth for each stage, and a stage, got '
                f'{len(widths)} widths and {len(depths)} depths.'
            )
        for width, depth in zip(widths, depths):
            check_whole('A width of an arch', width, least=2, most=WIDEST)  # stems halve it
            check_whole('A depth of an arch', depth)
        return arch

    @staticmethod
    def _parse_indices(out_indices: int | Sequence[int] | None, num_stages: int) -> tuple[int, ...]:
        if out_indices is None:
            out_indices = range(num_stages)
        elif isinstance(out_indices, int):
            out_indices = (out_indices,)
        if not len(out_indices):
            raise ValueError(
                f'out_indices is empty: name at least one of the stages 0 to {num_stages - 1}.'
            )
        for i in out_indices:
            if not -num_stages <= i < num_stages:
                raise ValueError(
                    f'Stage {i} of out_indices={tuple(out_indices)} does not '
                    f'exist: the network has stages 0 to {num_stages - 1}.'
                )
        return tuple(sorted({i % num_stages for i in out_indices}))
