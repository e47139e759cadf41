"""What features tell of classes that they were not trained on."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from torch import Tensor, nn

from ..utils.checks import check_number, check_whole

STEPS = 50  # of LBFGS, which is done long before


@METRICS.register_module()
class ProbeMetric(BaseMetric):
    """Accuracies of the nearest neighbours and of a linear layer, in percent.

    Takes data samples with ``features`` ``(C, )``, as
    :class:`~inrn_mm.distillation.bare.BackboneOnly` predicts them, and
    ``gt_label``. Of each class every other image is a known one, the rest are
    asked for; so one small labelled folder is enough.

    - ``knn``: the k nearest known images vote, each with the weight
      :math:`e^{\\cos / T}`, as in `Wu et al.
      <https://arxiv.org/abs/1805.01978>`_ (Sec. 3.4).
    - ``linear``: logistic regression of standardised features.

    Args:
        k (int): Neighbours that vote; all known ones, if they are fewer.
            Defaults to 20.
        temperature (float): T. Defaults to 0.07.
        weight_decay (float): L2 penalty of the linear layer, of the mean loss.
            Defaults to 1e-3.
        collect_device (str): See mmengine. Defaults to ``'cpu'``.
        prefix (str, optional): Before the keys in the log.
            Defaults to ``'probe'``.

    Raises:
        ValueError: If a number is out of range, or there is no class with two
            images.
    """

    default_prefix = 'probe'

    def __init__(
        self,
        k: int = 20,
        temperature: float = 0.07,
        weight_decay: float = 1e-3,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        check_whole('k', k, least=1)
        check_number('temperature', temperature, above=0)
        check_number('weight_decay', weight_decay, least=0)
        self.k, self.temperature, self.weight_decay = k, temperature, weight_decay

    def process(self, data_batch, data_samples: Sequence[dict]) -> None:
        """Keep the features of some images."""
        for sample in data_samples:
            label = int(torch.as_tensor(sample['gt_label']).flatten()[0])
            self.results.append((sample['features'].detach().float().cpu(), label))

    def compute_metrics(self, results: list[tuple[Tensor, int]]) -> dict[str, float]:
        """Ask for the class of every other image."""
        features = torch.stack([x for x, _ in results])
        labels = torch.tensor([label for _, label in results])
        known = split_known(labels)
        if not known.any() or known.all():
            raise ValueError(
                'ProbeMetric needs two images or more of a class, to know one and ask for the '
                f'other: there are {len(labels)} images of {len(labels.unique())} classes.'
            )
        args = features[known], labels[known], features[~known]
        guesses = dict(
            knn=nearest_neighbours(*args, self.k, self.temperature),
            linear=linear_probe(*args, self.weight_decay),
        )
        right = {name: (guess == labels[~known]).float() for name, guess in guesses.items()}
        return {name: round(100 * x.mean().item(), 2) for name, x in right.items()}


def split_known(labels: Tensor) -> Tensor:
    """Choose every other image of each class, the first of them included.

    Args:
        labels (Tensor): ``(N, )``.

    Returns:
        Tensor: bool ``(N, )``.
    """
    known = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        known[(labels == label).nonzero()[::2, 0]] = True
    return known


def nearest_neighbours(
    known: Tensor, labels: Tensor, asked: Tensor, k: int = 20, temperature: float = 0.07
) -> Tensor:
    """Guess classes by the nearest known features.

    Args:
        known (Tensor): ``(M, C)``.
        labels (Tensor): Their classes ``(M, )``.
        asked (Tensor): ``(N, C)``.
        k (int): How many vote. Defaults to 20.
        temperature (float): T of their weights. Defaults to 0.07.

    Returns:
        Tensor: Classes ``(N, )``.
    """
    votes = F.one_hot(labels).float()
    known = F.normalize(known)
    guesses = []
    for part in F.normalize(asked).split(1024):
        cosine, nearest = (part @ known.t()).topk(min(k, len(known)))
        weights = (cosine / temperature).exp()
        guesses.append((weights[..., None] * votes[nearest]).sum(1).argmax(1))
    return torch.cat(guesses)


@torch.enable_grad()
def linear_probe(
    known: Tensor, labels: Tensor, asked: Tensor, weight_decay: float = 1e-3
) -> Tensor:
    """Guess classes by logistic regression.

    Args:
        known (Tensor): ``(M, C)``.
        labels (Tensor): Their classes ``(M, )``.
        asked (Tensor): ``(N, C)``.
        weight_decay (float): L2 penalty. Defaults to 1e-3.

    Returns:
        Tensor: Classes ``(N, )``.
    """
    mean, std = known.mean(0), known.std(0, unbiased=False) + 1e-6
    known, asked = (known - mean) / std, (asked - mean) / std
    layer = nn.Linear(known.shape[1], int(labels.max()) + 1)
    nn.init.zeros_(layer.weight)  # the loss is convex
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=STEPS, line_search_fn='strong_wolfe')

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(layer(known), labels)
        value = value + weight_decay / 2 * layer.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return layer(asked).argmax(1)
