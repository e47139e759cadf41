"""Thin ResNets for 32 x 32 images, those of the distillation benchmarks."""

from mmengine.registry import MODELS
from mmpretrain.models.backbones import ResNet_CIFAR
from mmpretrain.models.backbones.resnet import BasicBlock


@MODELS.register_module()
class CIFARResNet(ResNet_CIFAR):
    """ResNet of three stages for CIFAR.

    `Deep Residual Learning for Image Recognition
    <https://arxiv.org/abs/1512.03385>`_, Sec. 4.2 (6n + 2 layers), with 1x1
    convolutions for the shortcuts that change the width, and the wider
    ``...x4`` of `Contrastive Representation Distillation
    <https://arxiv.org/abs/1910.10699>`_. The parameters are those with a
    linear head on 100 classes.

    ========  ===============  ================  ==========
    arch      blocks a stage   stem; widths      parameters
    ========  ===============  ================  ==========
    ``8``     1                16; 16, 32, 64    83,892
    ``20``    3                16; 16, 32, 64    278,324
    ``32``    5                16; 16, 32, 64    472,756
    ``56``    9                16; 16, 32, 64    861,620
    ``110``   18               16; 16, 32, 64    1,736,564
    ``8x4``   1                32; 64, 128, 256  1,233,540
    ``14x4``  2                32; 64, 128, 256  2,783,620
    ``32x4``  5                32; 64, 128, 256  7,433,860
    ========  ===============  ================  ==========

    The sum before the last ReLU of a stage, which OFD and ReviewKD compare,
    is the layer ``'backbone.layer{i}.{last block}.relu:input@-1'``.

    Args:
        arch (str | int): A name of the table.
        **kwargs: Arguments of :class:`mmpretrain.models.ResNet_CIFAR`; by default
            ``out_indices=(2, )`` and ``zero_init_residual=False``.

    Raises:
        ValueError: If there is no such arch.
    """

    # name: blocks of each stage, width of the stem, width of the first stage
    archs = {
        '8': (1, 16, 16),
        '20': (3, 16, 16),
        '32': (5, 16, 16),
        '56': (9, 16, 16),
        '110': (18, 16, 16),
        '8x4': (1, 32, 64),
        '14x4': (2, 32, 64),
        '32x4': (5, 32, 64),
    }
    # as the parent reads it, by depth
    arch_settings = {6 * blocks + 2: (BasicBlock, (blocks,) * 3) for blocks, _, _ in archs.values()}

    def __init__(self, arch, **kwargs) -> None:
        if str(arch) not in self.archs:
            raise ValueError(
                f"Unknown arch '{arch}' of CIFARResNet: choose one of {list(self.archs)}."
            )
        blocks, stem_channels, base_channels = self.archs[str(arch)]
        settings = dict(
            num_stages=3,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=(2,),
            stem_channels=stem_channels,
            base_channels=base_channels,
            zero_init_residual=False,
        )
        super().__init__(6 * blocks + 2, **{**settings, **kwargs})
