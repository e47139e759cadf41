"""Counts and measures of data sets, for the page."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from mmengine.registry import TASK_UTILS

from inrn_mm.datasets.checks.classes import label_names
from inrn_mm.datasets.checks.sets import CheckedSet
from inrn_mm.utils.config_types import student_config, type_name


def class_names(sets: Sequence[CheckedSet]) -> list[str]:
    """List the classes of the first set that has any.

    Args:
        sets (Sequence[CheckedSet]): Loaded.

    Returns:
        list[str]: In the order of the labels.
    """
    for checked in sets:
        names = label_names(checked.dataset) if checked.dataset else None
        if names:
            return [str(name) for name in names]
    most = max((max(r.labels, default=-1) for c in sets for r in c.records), default=-1)
    return [str(i) for i in range(most + 1)]


def count_classes(checked: Sequence[CheckedSet]) -> tuple[Counter, Counter]:
    """Count objects and images of each class.

    Args:
        checked (Sequence[CheckedSet]): Sets of one split.

    Returns:
        tuple[Counter, Counter]: Label to objects, and to images.
    """
    objects: Counter = Counter()
    images: Counter = Counter()
    for each in checked:
        for record in each.records:
            objects.update(record.labels)
            images.update(set(record.labels))
    return objects, images


def box_sizes(checked: Sequence[CheckedSet]) -> np.ndarray:
    """Measure the boxes as the network sees them, after the resizing.

    Args:
        checked (Sequence[CheckedSet]): Sets of one split.

    Returns:
        ndarray: Widths and heights in pixels, (n, 2); boxes without an area
        and those to be ignored are left out.
    """
    sizes = []
    for each in checked:
        steps = each.cfg.get('pipeline') or []
        for record in each.records:
            if record.size is None:
                continue
            scale = resize_factor(steps, *record.size)
            for (x1, y1, x2, y2), left in zip(record.boxes, record.ignored):
                if not left and x2 > x1 and y2 > y1:
                    sizes.append((scale * (x2 - x1), scale * (y2 - y1)))
    sizes = np.asarray(sizes, np.float64).reshape(-1, 2)
    return sizes[np.isfinite(sizes).all(1) & (sizes < 1e6).all(1)]


def resize_factor(pipeline: Sequence, width: float, height: float) -> float:
    """Tell how a pipeline enlarges an image that keeps its proportions.

    Args:
        pipeline (Sequence): Its steps' configs.
        width (float): Width of the image in pixels.
        height (float): Height of the image in pixels.

    Returns:
        float: By the first ``Resize``, or the middle one of several scales;
        1 where there is none.
    """
    for step in pipeline:
        name = type_name(step) if isinstance(step, dict) else ''
        scale = None
        if name in ('Resize', 'FixScaleResize'):
            scale = step.get('scale')
        elif name == 'RandomChoiceResize' and step.get('scales'):
            scale = sorted(step['scales'], key=min)[len(step['scales']) // 2]
        elif name == 'RandomResize' and step.get('scale'):
            scale = step['scale']
            scale = scale[-1] if isinstance(scale[0], (list, tuple)) else scale
        if isinstance(scale, (list, tuple)) and len(scale) == 2:
            long, short = max(scale), min(scale)
            return min(long / max(width, height), short / min(width, height))
    return 1.0


def anchor_sizes(model: dict | None) -> np.ndarray:
    """Measure the anchors of a network.

    Args:
        model (dict, optional): A config's ``model``.

    Returns:
        ndarray: Widths and heights in pixels of the network's input, (n, 2);
        none for networks without anchors.
    """
    sizes = []
    for generator in _generators(student_config(model)):
        if type_name(generator) == 'MlvlPointGenerator':
            continue
        anchors = getattr(TASK_UTILS.build(generator), 'base_anchors', [])
        sizes += [(level[:, 2:] - level[:, :2]).numpy() for level in anchors]
    return np.concatenate(sizes) if sizes else np.zeros((0, 2))


def _generators(config: object) -> Iterator[dict]:
    if isinstance(config, dict):
        if isinstance(config.get('anchor_generator'), dict):
            yield config['anchor_generator']
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for each in config:
            yield from _generators(each)


def best_overlaps(sizes: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """Compare boxes with anchors at the same centre.

    Args:
        sizes (ndarray): Widths and heights of the boxes, (n, 2).
        anchors (ndarray): Those of the anchors, (m, 2).

    Returns:
        ndarray: The IoU of each box with the best anchor, (n,).
    """
    best = np.zeros(len(sizes))
    for anchor in anchors:
        inner = np.minimum(sizes, anchor).prod(1)
        best = np.maximum(best, inner / (sizes.prod(1) + anchor.prod() - inner))
    return best
