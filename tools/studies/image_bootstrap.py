"""How much of a difference in AP is due to the images it was measured on."""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def compare_detections(
    annotations: Path, new: Path, old: Path, samples: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Compare two checkpoints on sets of images drawn from the test images.

    The images are drawn with replacement, the same for both. The interval says
    what other images of the kind would give of these two checkpoints; what
    other seeds would give, only other trainings tell.

    Args:
        annotations (Path): The boxes, in COCO's format.
        new (Path): Detections of one checkpoint, COCO's list of boxes, as
            ``CocoMetric`` writes it by ``outfile_prefix``.
        old (Path): The same of the other.
        samples (int): Number of sets that are drawn. Defaults to 1000.
        seed (int): Seed of the draw. Defaults to 0.

    Returns:
        dict: ``images``, ``samples``, ``new`` and ``old`` (box AP on all
        images, 0 to 1), ``difference``, ``low`` and ``high`` (the 2.5 and 97.5
        percentile of the difference over the sets).
    """
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints
        truth = COCO(str(annotations))
        first, second = (_evaluate(truth, path) for path in (new, old))
    count = len(first.params.imgIds)
    whole = np.arange(count)
    scores = [_average_precision(found, whole) for found in (first, second)]
    rng = np.random.default_rng(seed)
    drawn = []
    for _ in range(samples):
        images = rng.integers(count, size=count)
        drawn.append(_average_precision(first, images) - _average_precision(second, images))
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return dict(
        images=count,
        samples=samples,
        new=scores[0],
        old=scores[1],
        difference=scores[0] - scores[1],
        low=float(low),
        high=float(high),
    )


def _evaluate(truth: COCO, detections: Path) -> COCOeval:
    """Match the detections of all images, of all sizes, 100 of an image."""
    found = COCOeval(truth, truth.loadRes(str(detections)), 'bbox')
    found.params.areaRng, found.params.areaRngLbl = found.params.areaRng[:1], ['all']
    found.params.maxDets = [100]
    found.evaluate()
    return found


def _average_precision(found: COCOeval, images: np.ndarray) -> float:
    """Compute AP of some of the images, each as often as it is named."""
    per_class = np.array(found.evalImgs, dtype=object).reshape(-1, len(found.params.imgIds))
    precisions = [_precision(list(row[images]), found.params.recThrs) for row in per_class]
    precisions = [each for each in precisions if each is not None]
    return float(np.mean(precisions)) if precisions else float('nan')


def _precision(entries: list, recalls: np.ndarray) -> float | None:
    """Compute AP of one class, as ``COCOeval.accumulate``; None without objects."""
    entries = [each for each in entries if each is not None]
    if not entries:
        return None
    objects = sum(int((np.asarray(each['gtIgnore']) == 0).sum()) for each in entries)
    if objects == 0:
        return None
    scores = np.concatenate([each['dtScores'] for each in entries])
    order = np.argsort(-scores, kind='mergesort')
    matched = np.concatenate([each['dtMatches'] for each in entries], axis=1)[:, order] != 0
    counted = np.concatenate([each['dtIgnore'] for each in entries], axis=1)[:, order] == 0
    hits = np.cumsum(matched & counted, axis=1)
    misses = np.cumsum(~matched & counted, axis=1)
    values = []
    for hit, miss in zip(hits, misses):
        precision = hit / np.maximum(hit + miss, np.spacing(1))
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        places = np.searchsorted(hit / objects, recalls, side='left')
        padded = np.append(precision, 0.0)
        values.append(padded[np.minimum(places, len(precision))].mean())
    return float(np.mean(values))
