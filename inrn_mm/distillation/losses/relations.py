"""Similarities between the images of a batch and those seen before."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, get_world_size
from mmengine.registry import MODELS
from torch import Tensor

from ...utils.checks import check_number, check_whole
from .foundation import GlobalFeatureLoss


@MODELS.register_module()
class RelationLoss(GlobalFeatureLoss):
    r"""Divergence of how alike images are to the student and to the teacher.

    `SEED <https://arxiv.org/abs/2101.04731>`_ (Eq. 5-7): each image of the
    batch is compared by its cosine with the teacher's embeddings k of the
    batch and of a queue of images before it,

    .. math:: L = KL\big(softmax_k(\cos(t, k) / T_t) \,\|\,
        softmax_k(\cos(h(s), k) / T_s)\big)

    (the paper's cross-entropy less its constant). The queue begins with random
    vectors; it is saved, and all ranks hold the embeddings of all.

    Args:
        pairs (Sequence[tuple]): Layers that give maps ``(N, C, H, W)``, which
            are averaged, or vectors ``(N, C)``; see :class:`DistillLoss`.
        queue (int): Embeddings of former images that are kept; 0 compares the
            batch alone, as all ranks see it. Defaults to 4096; the paper has
            65536 for ImageNet.
        temperature (float): T_s. Defaults to 0.2, the paper's.
        teacher_temperature (float): T_t. Defaults to 0.07; the paper has 0.01
            for teachers that were trained by contrast.
        **kwargs: ``hidden`` (width of the heads, the teacher's channels if it
            is None), ``standardize`` (True) and arguments of
            :class:`DistillLoss`.

    Raises:
        ValueError: If a setting is out of range, or a layer gives neither maps
            nor vectors.
    """

    def __init__(
        self,
        pairs: Sequence[tuple],
        queue: int = 4096,
        temperature: float = 0.2,
        teacher_temperature: float = 0.07,
        **kwargs,
    ) -> None:
        super().__init__(pairs, **kwargs)
        check_whole('queue', queue)
        check_number('temperature', temperature, above=0)
        check_number('teacher_temperature', teacher_temperature, above=0)
        self.queue = queue
        self.temperature = temperature
        self.teacher_temperature = teacher_temperature

    def _make_heads(self, student_shapes: Sequence, teacher_shapes: Sequence) -> None:
        super()._make_heads(student_shapes, teacher_shapes)
        for i, shape in enumerate(teacher_shapes):
            self.register_buffer(f'queue_{i}', F.normalize(torch.randn(self.queue, shape[1])))

    def _compare(self, index: int, made: Tensor, wanted: Tensor) -> Tensor:
        own, known = F.normalize(made), F.normalize(wanted)
        batch = known if get_world_size() == 1 else torch.cat(all_gather(known))
        before = getattr(self, f'queue_{index}')
        keys = torch.cat([batch, before])
        scores = (own @ keys.t() / self.temperature).log_softmax(1)
        target = (known @ keys.t() / self.teacher_temperature).log_softmax(1)
        if self.training and self.queue:
            moved = torch.cat([batch, before])[: self.queue]
            # a batch that is not finite is not remembered
            before.copy_(torch.where(batch.isfinite().all(), moved, before))
        return F.kl_div(scores, target, reduction='batchmean', log_target=True)
