"""The figures and pictures of the page."""

from collections.abc import Iterator, Mapping, Sequence

import cv2
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from mmengine.registry import TRANSFORMS

from inrn_mm.datasets.checks.image_files import loader_config
from inrn_mm.datasets.checks.sets import CheckedSet
from inrn_mm.visualization.curves import COLOURS
from inrn_mm.visualization.detections import DetectionPainter

SIDE = 480  # pixels of a picture's longer side
MOST_CLASSES = 60  # bars; more classes are shown by their rank


def plot_classes(names: Sequence[str], counts: Mapping[str, Mapping[int, int]]) -> Figure:
    """Draw how many objects each class has, most first.

    Args:
        names (Sequence[str]): Names of the classes.
        counts (Mapping[str, Mapping[int, int]]): Split to label to number.

    Returns:
        Figure: Bars, or a curve over the ranks of many classes.
    """
    first = next(iter(counts.values()), {})
    order = sorted(range(len(names)), key=lambda i: -first.get(i, 0))
    many = len(names) > MOST_CLASSES
    figure = Figure(figsize=(10, 3.2 if many else 1 + 0.24 * len(names)))
    axes = figure.add_subplot()
    height = 0.8 / max(len(counts), 1)
    for k, (split, numbers) in enumerate(counts.items()):
        values = [numbers.get(i, 0) for i in order]
        if many:
            axes.plot(range(1, len(values) + 1), values, '.-', color=COLOURS[k], label=split)
        else:
            places = np.arange(len(order)) + (k - (len(counts) - 1) / 2) * height
            axes.barh(places, values, height, color=COLOURS[k], label=split)
    if many:
        axes.set_yscale('symlog')
        axes.set(xlabel='rank of the class in the first split', ylabel='objects')
    else:
        axes.set_xscale('symlog')
        axes.set_yticks(range(len(order)), [names[i] for i in order])
        axes.invert_yaxis()
        axes.set(xlabel='objects')
    return _finish(figure)


def plot_boxes(sizes: Mapping[str, np.ndarray], anchors: np.ndarray) -> Figure:
    """Draw the sizes and ratios of boxes, with the anchors.

    Args:
        sizes (Mapping[str, ndarray]): Split to widths and heights, (n, 2).
        anchors (ndarray): Widths and heights, (m, 2).

    Returns:
        Figure: Two panels.
    """
    figure = Figure(figsize=(10, 4.4))
    left, right = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    bins = np.linspace(-4, 4, 65)
    for k, (split, boxes) in enumerate(sizes.items()):
        if not len(boxes):
            continue
        some = boxes[np.random.RandomState(0).permutation(len(boxes))[:3000]]
        left.plot(*some.T, '.', markersize=3, alpha=0.4, color=COLOURS[k], label=split)
        share = np.full(len(boxes), 100 / len(boxes))
        ratios = np.log2(boxes[:, 1] / boxes[:, 0])
        right.hist(ratios, bins, weights=share, histtype='step', color=COLOURS[k], label=split)
    if len(anchors):
        left.plot(*anchors.T, 'x', color='black', label='anchors')
        for i, ratio in enumerate(np.unique(np.log2(anchors[:, 1] / anchors[:, 0]).round(2))):
            label = None if i else 'anchors'
            right.axvline(ratio, color='black', linewidth=0.8, linestyle=':', label=label)
    left.set(xscale='log', yscale='log', xlabel='width, pixels', ylabel='height, pixels')
    for axis in left.xaxis, left.yaxis:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_major_formatter('{x:g}')
        axis.set_minor_locator(NullLocator())
    right.set(xlabel='height to width', ylabel='% of the boxes')
    right.set_xticks(range(-4, 5, 2), ['1:16', '1:4', '1:1', '4:1', '16:1'])
    return _finish(figure)


def plot_per_image(counts: Mapping[str, Sequence[int]]) -> Figure:
    """Draw how many objects images have.

    Args:
        counts (Mapping[str, Sequence[int]]): Split to objects of each image.

    Returns:
        Figure: A histogram.
    """
    figure = Figure(figsize=(10, 2.6))
    axes = figure.add_subplot()
    most = max((max(numbers, default=0) for numbers in counts.values()), default=0)
    bins = np.arange(0, most + 2) - 0.5 if most < 60 else np.linspace(-0.5, most + 0.5, 61)
    for k, (split, numbers) in enumerate(counts.items()):
        if len(numbers):
            share = np.full(len(numbers), 100 / len(numbers))
            axes.hist(numbers, bins, weights=share, histtype='step', color=COLOURS[k], label=split)
    axes.set(xlabel='objects in an image', ylabel='% of the images')
    return _finish(figure)


def _finish(figure: Figure) -> Figure:
    for axes in figure.axes:
        axes.grid(alpha=0.25)
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
        axes.tick_params(labelsize=8)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8, frameon=False)
    figure.tight_layout()
    return figure


def draw_pictures(checked: CheckedSet, names: Sequence[str], number: int) -> Iterator[np.ndarray]:
    """Draw images of a set with their boxes.

    Args:
        checked (CheckedSet): Loaded.
        names (Sequence[str]): Names of the classes.
        number (int): How many, spread over the set.

    Yields:
        ndarray: uint8 BGR, (H, W, 3); images that do not load are left out.
    """
    records = checked.records
    picks = np.unique(np.linspace(0, len(records) - 1, number).astype(int)) if records else []
    loader = loader_config(checked.cfg)
    load = TRANSFORMS.build(loader) if loader else None
    for record in (records[i] for i in picks):
        info = checked.dataset.get_data_info(record.index)
        try:
            image = load(info)['img'] if load else np.asarray(info['img'])[..., ::-1]
        except Exception:  # it is among the findings
            continue
        if image.ndim != 3 or image.shape[2] != 3:
            continue
        yield _draw(np.ascontiguousarray(image, dtype=np.uint8), record, names)


def _draw(image: np.ndarray, record, names: Sequence[str]) -> np.ndarray:
    scale = SIDE / max(image.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=method)
    height, width = image.shape[:2]
    boxes, labels = record.boxes, record.labels
    if labels and not boxes:  # the class of the image itself
        boxes, labels = [[0, 0, width / scale, height / scale]], labels[:1]
    shown = [i for i, box in enumerate(boxes) if len(box) == 4 and max(map(abs, box)) < 1e6]
    painter = DetectionPainter([str(n) for n in names], scale=1)
    picture = painter.draw(
        image,
        np.float32([boxes[i] for i in shown]).reshape(-1, 4) * scale,
        [labels[i] for i in shown],
    )
    # one size for all, so that a row of them is even
    canvas = np.full((SIDE, SIDE, 3), 245, np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    canvas[top : top + height, left : left + width] = picture[:height, :width]
    return canvas
