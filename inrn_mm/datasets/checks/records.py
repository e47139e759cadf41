"""The images of a data set as a training sees them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .findings import Findings
from .shapes import (
    BEYOND,
    BOX_CURES,
    EMPTY,
    INVERTED,
    MASK_CURE,
    NOT_FINITE,
    OUTSIDE,
    box_fault,
    mask_fault,
    rank_mask_fault,
)
from .usage import Usage


@dataclass
class Record:
    """One image of a set, without its pixels.

    Args:
        index (int): Its place in the set.
        name (str): Its id, and its file.
        path (str): Path of the image; '' if it has no file.
        size (tuple[int, int] | None): Width and height as annotated.
        boxes (list[list[float]]): Corners x1, y1, x2, y2 of each box.
        labels (list[int]): Labels of the boxes, or of the image itself.
        ignored (list[bool]): Which boxes are not to be learned.
        masks (list): Their polygons or run lengths; None where there is none.
        source (str): The annotation file.
    """

    index: int
    name: str
    path: str
    size: tuple[int, int] | None
    boxes: list[list[float]]
    labels: list[int]
    ignored: list[bool]
    masks: list
    source: str


def read_records(dataset, indices: Iterable[int] | None = None) -> Iterator[Record]:
    """Read images of a set, after its own filters.

    Args:
        dataset (BaseDataset): The set, loaded.
        indices (Iterable[int], optional): Which. Defaults to None: all.

    Yields:
        Record: Each image. Videos are left out.
    """
    for index in range(len(dataset)) if indices is None else indices:
        info = dataset.get_data_info(index)
        path = info.get('img_path') or ''
        if not isinstance(path, str):
            continue
        size = (info['width'], info['height']) if info.get('width') else None
        objects = [i for i in info.get('instances') or [] if isinstance(i, dict) and 'bbox' in i]
        labels = [i.get('bbox_label', 0) for i in objects]
        if isinstance(info.get('gt_label'), (int, np.integer, np.ndarray, list, tuple)):
            labels = np.atleast_1d(info['gt_label']).tolist()
        yield Record(
            index,
            f'image {info.get("img_id", index)} {path}'.strip(),
            path,
            size,
            [[float(v) for v in np.ravel(i['bbox'])] for i in objects],
            labels,
            [bool(i.get('ignore_flag')) for i in objects],
            [i.get('mask') for i in objects],
            info.get('xml_path') or getattr(dataset, 'ann_file', '') or '',
        )


def check_record(record: Record, usage: Usage, found: Findings) -> None:
    """Check the boxes and masks of an image.

    Args:
        record (Record): The image.
        usage (Usage): What of it is used.
        found (Findings): Added to.
    """
    if record.size is None:
        return
    for i, (box, mask) in enumerate(zip(record.boxes, record.masks)):
        item = f'box {i + 1} of {record.name}'
        fault = usage.masks and mask_fault(mask, *record.size)
        if fault:
            found.add(rank_mask_fault(fault, usage), fault, MASK_CURE, record.source, item)
        if len(box) != 4 or record.ignored[i]:
            continue
        fault = box_fault(box, *record.size)
        if fault:
            _tell_box(fault, usage, record.source, item, found)


def _tell_box(fault: str, usage: Usage, file: str, item: str, found: Findings) -> None:
    """Tell of a box that is trained on, and how bad it is."""
    cure = BOX_CURES[fault]
    if fault not in (NOT_FINITE, INVERTED, EMPTY, OUTSIDE):
        found.add('note' if fault == BEYOND else 'warning', fault, cure, file, item)
    elif fault == EMPTY and usage.roi and not usage.boxes_filtered:
        # such a box is a proposal for itself, and its offsets are log(0 / 0)
        text = f'{fault}, which ends the training of a RoI head (its loss is NaN)'
        cure += ', or add dict(type="FilterAnnotations", min_gt_bbox_wh=(1, 1)) to the pipeline'
        found.add('fatal', text, cure, file, item)
    else:
        found.add('error', fault, cure, file, item)


def count_labels(records: Iterable[Record]) -> Counter:
    """Count what is to be learned.

    Args:
        records (Iterable[Record]): Images.

    Returns:
        Counter: Label to number of its objects, or of its images.
    """
    counts: Counter = Counter()
    for record in records:
        ignored = record.ignored or [False] * len(record.labels)
        counts.update(label for label, left in zip(record.labels, ignored) if not left)
    return counts
