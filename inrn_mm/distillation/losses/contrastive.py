"""CRD: contrastive representation distillation."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather, all_reduce, broadcast
from mmengine.logging import print_log
from mmengine.registry import MODELS
from torch import Tensor, nn

from ...utils.checks import check_number, check_whole
from .base import DistillLoss
from .shapes import require
from .targets import class_labels


@MODELS.register_module()
class ContrastiveLoss(DistillLoss):
    r"""Tells a sample's pair of embeddings from those of other samples.

    `Contrastive Representation Distillation
    <https://arxiv.org/abs/1910.10699>`_ (Eq. 17-19). The embedding v of one
    network is scored against memories u of the other's embeddings:

    .. math::
        p(u) = \frac{e^{v \cdot u / T}}{Z}, \quad
        L = -\frac{1}{N} \sum_n \Big[ \log \frac{p(u_+)}{p(u_+) + K / M}
            + \sum_{k=1}^K \log \frac{K / M}{p(u_k) + K / M} \Big]

    summed over both directions, with K negatives out of M samples and Z fixed
    by the first batch. Memories are buffers: they are saved and resumed, and
    all ranks write the embeddings of all.

    The gradient at the embeddings is taken inside of :meth:`forward`, before
    the memories change, so that the scores of a batch are not kept until the
    backward pass.

    Args:
        pairs (Sequence[tuple]): Layers, see :class:`DistillLoss`; they give
            one vector ``(N, C)`` per image, such as the pooled features of a
            classifier.
        num_samples (int, optional): M, the size of the training set, which
            must be given. ``tools/train.py`` counts it for the method ``crd``.
        embed_dims (int): Size of the embeddings. Defaults to 128.
        num_negatives (int): K. Defaults to 16384.
        temperature (float): T. Defaults to 0.07.
        momentum (float): Share of a memory that stays when its sample is
            seen. Defaults to 0.5.
        negatives (str): ``'exact'``, samples of other classes (the paper's
            choice; needs ``gt_label`` in the data samples, and takes a sample
            not yet seen for one of another class), or ``'relax'``, any other
            samples. Both are drawn on the device, with replacement.
            Defaults to ``'exact'``.
        sample_key (str): Name of a sample's index, from 0 to M - 1, in the
            data samples' meta information. Defaults to ``'sample_idx'``.
        max_memory (float): Bound on the memories in GiB. Defaults to 2, which
            holds ImageNet-1k (1.2 GiB).
        weight (float | str | Sequence[float]): Defaults to 0.8, the paper's.
        **kwargs: ``schedule`` and ``name`` of :class:`DistillLoss`.

    Raises:
        ValueError: If a setting is out of range, the memories exceed
            ``max_memory``, or a layer gives a map.
    """

    needs_annotations = True

    def __init__(
        self,
        pairs: Sequence[tuple],
        num_samples: int | None = None,
        embed_dims: int = 128,
        num_negatives: int = 16384,
        temperature: float = 0.07,
        momentum: float = 0.5,
        negatives: str = 'exact',
        sample_key: str = 'sample_idx',
        max_memory: float = 2.0,
        weight: float | str | Sequence[float] = 0.8,
        **kwargs,
    ) -> None:
        super().__init__(pairs, weight=weight, **kwargs)
        if negatives not in ('relax', 'exact'):
            raise ValueError(f"Unknown negatives '{negatives}': choose 'exact' or 'relax'.")
        if num_samples is None:
            raise ValueError(
                'ContrastiveLoss must be told the size of the training set: set num_samples, as in '
                "method=dict(type='crd', num_samples=50000)."
            )
        check_whole('num_samples', num_samples, least=2)
        check_whole('embed_dims', embed_dims, least=1)
        check_whole('num_negatives', num_negatives, least=1)
        check_number('temperature', temperature, above=0)
        check_number('momentum', momentum, least=0, below=1)
        check_number('max_memory', max_memory, above=0)
        self.num_samples = num_samples
        self.embed_dims = embed_dims
        self.num_negatives = num_negatives
        self.temperature = temperature
        self.momentum = momentum
        self.negatives = negatives
        self.sample_key = sample_key
        self._bound(max_memory)

        self.student_embeds = nn.ModuleList()
        self.teacher_embeds = nn.ModuleList()
        bound = 1 / math.sqrt(embed_dims / 3)
        shape = len(self.pairs), num_samples, embed_dims
        for side in ('student', 'teacher'):
            self.register_buffer(f'{side}_memory', torch.empty(shape).uniform_(-bound, bound))
        # Z of each pair against either memory; negative: not yet known
        self.register_buffer('normalizers', torch.full((len(pairs), 2), -1.0))
        self._agreed = False
        if negatives == 'exact':
            self.register_buffer('labels', torch.full((num_samples,), -1).long())

    def _bound(self, max_memory: float) -> None:
        size = 2 * len(self.pairs) * self.num_samples * self.embed_dims * 4
        size /= 2**30
        what = (
            f'The memories of ContrastiveLoss ({len(self.pairs)} pairs, '
            f'2 x {self.num_samples} samples, {self.embed_dims} dims) '
            f'take {size:.3g} GiB of the device and of each checkpoint'
        )
        if size > max_memory:
            raise ValueError(
                f'{what}, more than max_memory={max_memory:g}; raise it or lower embed_dims.'
            )
        print_log(f'{what}.', 'current')

    def build(
        self, student_shapes: Sequence[torch.Size], teacher_shapes: Sequence[torch.Size]
    ) -> None:
        """Make the embeddings of each pair."""
        require('vectors', self, student_shapes, teacher_shapes)
        for s, t in zip(student_shapes, teacher_shapes):
            self.student_embeds.append(nn.Linear(s[1], self.embed_dims))
            self.teacher_embeds.append(nn.Linear(t[1], self.embed_dims))

    def forward(
        self, student: list[Tensor], teacher: list[Tensor], data_samples: list | None = None
    ) -> list[Tensor]:
        """Compute the contrastive loss of each pair, in float32.

        In training mode the memories of the samples are updated.
        """
        index = self.sample_indices(student[0], data_samples)
        if not self._agreed:
            # DDP leaves buffers as each rank's seed made them
            for buffer in self.buffers():
                broadcast(buffer)
        columns = self.draw(index, student[0], data_samples)
        losses = []
        for i, features in enumerate(zip(student, teacher)):
            s, t = (
                F.normalize(embed(x.to(embed.weight.dtype)).float())
                for x, embed in zip(features, (self.student_embeds[i], self.teacher_embeds[i]))
            )
            with torch.autocast(s.device.type, enabled=False):
                losses.append(
                    self.contrast(s, self.teacher_memory[i], columns, self.normalizers[i, 0])
                    + self.contrast(t, self.student_memory[i], columns, self.normalizers[i, 1])
                )
            if self.training:
                self.remember(self.student_memory[i], index, s)
                self.remember(self.teacher_memory[i], index, t)
        self._agreed = True
        return losses

    def sample_indices(self, like: Tensor, data_samples: list | None) -> Tensor:
        """Find the indices of the batch in the training set.

        Args:
            like (Tensor): The student's vectors ``(N, C)``.
            data_samples (list, optional): Those of the batch.

        Returns:
            Tensor: ``(N, )``, on the device of ``like``.

        Raises:
            ValueError: If samples have no index, or one out of range, or there
                is not one vector for each.
        """
        key = self.sample_key
        if not data_samples or key not in data_samples[0]:
            raise ValueError(
                f"ContrastiveLoss needs the index of each sample: add '{key}' "
                'to the meta_keys of the transform that packs the inputs.'
            )
        indices = [int(sample.get(key)) for sample in data_samples]
        if len(indices) != len(like):
            raise ValueError(
                'ContrastiveLoss needs one vector for each image, got '
                f'{len(like)} vectors of {len(indices)} images.'
            )
        if not 0 <= min(indices) <= max(indices) < self.num_samples:
            raise ValueError(
                f'A sample has the {key} {max(indices)} (least '
                f'{min(indices)}), but ContrastiveLoss has memories of '
                f'{self.num_samples}; set num_samples to the size of the '
                'training set.'
            )
        return torch.tensor(indices, device=like.device)

    @torch.no_grad()
    def draw(self, index: Tensor, like: Tensor, data_samples: list | None) -> Tensor:
        """Draw rows of the memory to score each sample against.

        Args:
            index (Tensor): The samples ``(N, )``.
            like (Tensor): Their vectors ``(N, C)``.
            data_samples (list, optional): Their data samples.

        Returns:
            Tensor: ``(N, 1 + K)``, the sample itself first.
        """
        shape = len(index), self.num_negatives
        if self.negatives == 'relax':
            drawn = torch.randint(self.num_samples - 1, shape, device=index.device)
            drawn = drawn + (drawn >= index[:, None])
            return torch.cat([index[:, None], drawn], 1)

        labels = class_labels(self, like, data_samples)
        self.labels[self._gather(index)] = self._gather(labels)
        # Sorted by class, the samples of other classes are those before and
        # those behind the sample's own.
        classes, order = self.labels.sort(stable=True)
        first = torch.searchsorted(classes, labels)[:, None]
        own = torch.searchsorted(classes, labels, right=True)[:, None] - first
        drawn = torch.rand(shape, device=index.device)
        drawn = (drawn * (self.num_samples - own)).long()
        # rounding can reach the end
        drawn = drawn.minimum((self.num_samples - own - 1).clamp(min=0))
        drawn = drawn + own * (drawn >= first)
        # a batch whose samples are all that there is has no other class
        drawn = order[drawn.clamp(max=self.num_samples - 1)]
        return torch.cat([index[:, None], drawn], 1)

    def contrast(self, v: Tensor, memory: Tensor, columns: Tensor, normalizer: Tensor) -> Tensor:
        """Compute the loss of one direction.

        Args:
            v (Tensor): Embeddings ``(N, D)`` of one network.
            memory (Tensor): Memories ``(M, D)`` of the other.
            columns (Tensor): Rows of the memory, ``(N, 1 + K)``.
            normalizer (Tensor): Z, set in place if it is negative.

        Returns:
            Tensor: A scalar whose gradient is already known.
        """
        with torch.enable_grad():
            leaf = v.detach().requires_grad_()
            # all similarities cost less than gathering the K rows
            scores = (leaf @ memory.float().T).gather(1, columns)
            scores = (scores / self.temperature).exp()
            p = scores / self._normalize(scores.detach(), normalizer)
            noise = self.num_negatives / self.num_samples
            positive = p[:, 0] / (p[:, 0] + noise + 1e-7)
            negative = noise / (p[:, 1:] + noise + 1e-7)
            loss = -(positive.log().sum() + negative.log().sum()) / len(v)
        (gradient,) = torch.autograd.grad(loss, leaf)
        return loss.detach() + ((v - v.detach()) * gradient).sum()

    def _normalize(self, scores: Tensor, normalizer: Tensor) -> Tensor:
        """Compute Z, from the first batch of all ranks whose scores are finite."""
        fresh = scores.mean() * self.num_samples
        all_reduce(fresh, 'mean')
        value = torch.where(normalizer < 0, fresh, normalizer)
        normalizer.copy_(torch.where(value.isfinite(), value, normalizer))
        return value.float()

    @torch.no_grad()
    def remember(self, memory: Tensor, index: Tensor, v: Tensor) -> None:
        """Update the memories of the samples of all ranks.

        Args:
            memory (Tensor): ``(M, D)``, changed in place.
            index (Tensor): The samples ``(N, )``.
            v (Tensor): Their embeddings ``(N, D)``.
        """
        index, v = self._gather(index), self._gather(v)
        # A sample that is in the batches twice counts as its last copy, on
        # every rank: they would drift apart otherwise.
        copies = index[:, None] == index
        v = v[(copies * torch.arange(len(index), device=v.device)).amax(1)]
        old = memory[index]
        moved = F.normalize((old * self.momentum + v * (1 - self.momentum)).float())
        # a batch that overflows under a loss scaler is not remembered
        finite = v.isfinite().all(1, keepdim=True)
        memory[index] = torch.where(finite, moved.to(memory.dtype), old)

    @staticmethod
    def _gather(x: Tensor) -> Tensor:
        return torch.cat(all_gather(x.detach().contiguous()))
