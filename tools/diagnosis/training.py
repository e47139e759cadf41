"""Features and gradients of a distilled training's own batches."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from inrn_mm.distillation import KnowledgeDistiller
from inrn_mm.distillation.bound import BoundLoss
from inrn_mm.distillation.gradient_ratios import layer_gradients
from inrn_mm.distillation.recorder import Features
from tools.diagnosis.linear_map import Moments, explained, paired_rows

LEAST_BATCHES = 4  # half of them fits, a quarter chooses, a quarter tests
PLACES_PER_CHANNEL = 5  # fewer than so many determine no map


class Pair:
    """What is found out of a pair of layers.

    Args:
        bound (BoundLoss): The loss.
        index (int): Number of the pair in it.
    """

    def __init__(self, bound: BoundLoss, index: int) -> None:
        self.bound, self.index = bound, index
        self.name = bound.names[index]
        self.moments = [Moments() for _ in range(3)]  # fit, choose, test
        self.ratios: list[float] = []
        self.cosines: list[float] = []
        self.reason = ''

    def see_features(self, own: torch.Tensor, other: torch.Tensor, part: int) -> None:
        """Add features of both sides to those that are fitted, or tested."""
        rows = paired_rows(own, other)
        if rows is None:
            self.reason = 'the layers have other places'
        else:
            self.moments[part].add(*rows)

    def report(self) -> dict[str, Any]:
        """Sum up: figures are None where they cannot be told."""
        own, other = self.bound.loss.pairs[self.index]
        auto = self.bound.loss.auto
        ratio = _mean_and_std(self.ratios)
        if ratio and auto and not auto.fixed:  # what the weight will be found for
            ratio.update(mean=auto.share, std=0.0)
        found: dict[str, Any] = dict(
            name=self.name,
            student_layer=str(own),
            teacher_layer=str(other),
            teacher=self.bound.teacher,
            gradient_ratio=ratio,
            cosine=_mean_and_std(self.cosines),
            r2=None,
            constant=None,
            places=sum(part.rows for part in self.moments[:2]),
            enough_places=False,
            reason=self.reason,
        )
        if all(part.rows for part in self.moments):
            channels = self.moments[0].xx.shape[0] - 1
            found['enough_places'] = found['places'] >= PLACES_PER_CHANNEL * channels
            for name, value in explained(*self.moments).items():
                found[name] = value if np.isfinite(value) else None
        return found


def training_batches(cfg: Config, count: int) -> tuple[Iterator[dict], int]:
    """Read batches of the training set, as training does.

    Args:
        cfg (Config): The config.
        count (int): How many.

    Returns:
        tuple[Iterator[dict], int]: They, and how many there are, no more than
        the set has.

    Raises:
        ValueError: If there are too few.
    """
    if not cfg.get('train_dataloader'):
        raise ValueError('The config has no train_dataloader: its batches tell the gradients.')
    loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    count = min(count, len(loader))
    if count < LEAST_BATCHES:
        raise ValueError(
            f'The training set has {count} batches, and {LEAST_BATCHES} are needed: some to fit '
            'a map of the features, others to test it; give a smaller '
            'train_dataloader.batch_size by --cfg-options.'
        )
    return islice(iter(loader), count), count


def diagnose_training(
    model: KnowledgeDistiller, batches: Iterable[dict], count: int
) -> list[dict[str, Any]]:
    """Compare features and gradients of all pairs.

    Args:
        model (KnowledgeDistiller): The model, on its device; its running
            statistics change.
        batches (Iterable[dict]): Batches of the training set.
        count (int): Their number.

    Returns:
        list[dict]: See :meth:`Pair.report`.
    """
    pairs = {bound: [Pair(bound, i) for i in range(len(bound.names))] for bound in model.bound}
    model.train()
    for i, batch in enumerate(batches):
        data = model.data_preprocessor(batch, True)
        losses, student, features = model.observe(data['inputs'], data['data_samples'], model.bound)
        part = 0 if i < count // 2 else 1 if i < count - max(1, count // 4) else 2
        for bound, several in pairs.items():
            for own, others in bound.calls(student.detach(), features[bound.teacher]):
                for pair in several:
                    pair.see_features(own[pair.index], others[pair.index], part)
        terms = {
            bound: bound.terms(student, features[bound.teacher], data['data_samples'])
            for bound in model.bound
        }
        _compare_gradients(pairs, terms, student, model.parse_losses(losses)[0])
    return [pair.report() for several in pairs.values() for pair in several]


def _compare_gradients(
    pairs: dict[BoundLoss, list[Pair]], terms: dict, student: Features, task: torch.Tensor
) -> None:
    """Add the ratios and angles of a batch, at the weights without a schedule."""
    weighted = {}
    for bound, several in pairs.items():
        auto = bound.loss.auto
        scales = auto.scales() if auto and auto.fixed else [1.0] * len(several)
        for pair, scale in zip(several, scales):
            weight = bound.loss.weights[pair.index] * scale
            weighted[pair.name] = (
                weight * terms[bound][pair.index],
                student[bound.taps[pair.index][0]],
            )
    try:
        gradients = layer_gradients(weighted, task)
    except RuntimeError as error:
        if 'checkpoint' not in str(error).lower():
            raise
        for several in pairs.values():
            for pair in several:
                pair.reason = "no gradients: the student's with_cp=True is torch's reentrant way"
        return
    for several in pairs.values():
        for pair in several:
            found = gradients[pair.name]
            if float(found.task) > 0:
                pair.ratios.append(float(found.ratio))
                pair.cosines.append(float(found.cosine))


def _mean_and_std(values: list[float]) -> dict[str, float] | None:
    finite = [value for value in values if np.isfinite(value)]
    if not finite:
        return None
    return dict(mean=float(np.mean(finite)), std=float(np.std(finite)), batches=len(finite))
