"""A backbone that trains alone, by what it is taught."""

from collections.abc import Iterable, Sequence

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import Tensor, nn

from .configs import model_config
from .losses import DistillLoss


@MODELS.register_module()
class BackboneOnly(BaseModel):
    """A backbone without a head: a student that has no loss of its own.

    :class:`KnowledgeDistiller` makes one of any student that is no
    ``BaseModel``. The weights are below ``backbone.``, where detectors,
    segmentors and classifiers have theirs, so that a checkpoint of it is read
    by ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')``.

    Args:
        backbone (dict): Config of a network of images ``(N, C, H, W)`` that
            returns a map, or a tuple of maps or vectors.
        data_preprocessor (dict): Config of the preprocessor, with the mean and
            std of the images.
        noise (Sequence[dict]): Transforms of the pixels that the student alone
            sees in training, such as
            ``dict(type='torchvision.transforms.v2.ColorJitter', brightness=0.4)``;
            each image ``(C, H, W)`` from 0 to 1 draws its own. They move no
            pixel: the teacher sees the places where they were.
            Defaults to none.
        init_cfg (dict, optional): As in mmengine. Defaults to None.
    """

    def __init__(
        self,
        backbone: dict,
        data_preprocessor: dict,
        noise: Sequence[dict] = (),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor, init_cfg)
        self.backbone = MODELS.build(backbone)
        self.noise = [MODELS.build(cfg) for cfg in noise]

    def forward(
        self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor'
    ) -> dict | tuple | Tensor | list:
        """Run the backbone.

        Args:
            inputs (Tensor): Images ``(N, C, H, W)``, preprocessed.
            data_samples (list, optional): Their data samples.
            mode (str): ``'tensor'`` gives the features; ``'loss'`` runs for
                those who watch and gives no loss; ``'predict'`` gives the data
                samples with the pooled ``features`` ``(C, )`` of the last
                stage. Defaults to ``'tensor'``.
        """
        if mode == 'loss':
            self.backbone(self._disturb(inputs) if self.training else inputs)
            return {}
        out = self.backbone(inputs)
        if mode == 'tensor':
            return out
        pooled = pool(out[-1] if isinstance(out, (tuple, list)) else out)
        for sample, features in zip(data_samples or [], pooled):
            sample.features = features
        return data_samples or list(pooled)

    def _disturb(self, inputs: Tensor) -> Tensor:
        """Apply the noise to the pixels as they were before normalisation."""
        if not self.noise:
            return inputs
        own = self.data_preprocessor
        normalizes = getattr(own, '_enable_normalize', False)
        mean, std = (own.mean, own.std) if normalizes else (0.0, 1.0)
        images = ((inputs.float() * std + mean) / 255).clamp(0, 1)
        for transform in self.noise:
            images = torch.stack([transform(image) for image in images])
        return ((images * 255 - mean) / std).to(inputs.dtype)


def pool(x: Tensor) -> Tensor:
    """Average a map ``(N, C, H, W)`` over its places; vectors stay."""
    return x.mean((2, 3)) if x.dim() == 4 else x


def build_student(cfg: str | dict, data_preprocessor: dict | None) -> tuple[nn.Module, dict | None]:
    """Build the student of a distillation.

    Args:
        cfg (str | dict): Its config, see :func:`model_config`.
        data_preprocessor (dict, optional): For a student that names none.

    Returns:
        tuple[nn.Module, dict | None]: The model, a :class:`BackboneOnly` of
        what is none; and the preprocessor that is left for teachers that name
        none, where the student has its own.

    Raises:
        ValueError: If it is a backbone and no preprocessor is given.
    """
    cfg = model_config(cfg)
    if not _is_model(cfg):
        if data_preprocessor is None:
            raise ValueError(
                f'The student {cfg["type"]} is no model that can be trained (it has no loss): '
                'give data_preprocessor=dict(...) beside it to train a backbone alone without '
                'labels, or a detector or classifier with it as the backbone.'
            )
        cfg = dict(type='BackboneOnly', backbone=cfg, data_preprocessor=data_preprocessor)
        return MODELS.build(cfg), None
    if cfg.get('data_preprocessor'):
        return MODELS.build(cfg), data_preprocessor
    if data_preprocessor is not None:  # and a teacher without one sees what the student does
        cfg['data_preprocessor'] = data_preprocessor
    return MODELS.build(cfg), None


def check_bare(student: nn.Module, losses: Iterable[DistillLoss]) -> None:
    """See that there is something to learn for a student without a loss.

    Args:
        student (nn.Module): The student; any other kind passes.
        losses (Iterable[DistillLoss]): What teaches it.

    Raises:
        ValueError: If there is no loss, or its weight is to be found beside
            that of a task.
    """
    if not isinstance(student, BackboneOnly):
        return
    losses = list(losses)
    if not losses:
        raise ValueError(
            f'The student {type(student.backbone).__name__} is a backbone alone, and nothing '
            'teaches it: give distill_losses.'
        )
    for loss in losses:
        if loss.auto:
            raise ValueError(
                f"The weight '{loss.auto}' of {type(loss).__name__} is a share of the task's "
                'gradient, and a backbone alone has no task: give a number.'
            )


def _is_model(cfg: dict) -> bool:
    """Tell whether a config is that of an mm model, which has a loss."""
    if cfg.get('data_preprocessor'):
        return True
    kind = cfg['type']
    if isinstance(kind, str):
        with MODELS.switch_scope_and_registry(cfg.get('_scope_')) as registry:
            kind = registry.get(kind)
    # what is not found, the registry says better; a function may make any model
    return not isinstance(kind, type) or issubclass(kind, BaseModel)
