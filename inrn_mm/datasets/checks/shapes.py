"""Faults of single boxes and masks, whatever file they come from."""

import math
from collections.abc import Sequence

from .usage import Usage

FARTHEST = 1e6  # no image is that wide
# What a box's fault is called, and what to do.
BOX_CURES = {
    'a box has coordinates that are no numbers of an image': 'correct or remove it',
    'a box ends before it begins': 'VOC wants xmin ymin xmax ymax, COCO x y width height',
    'a box has no area': 'correct or remove it',
    'a box is thinner than a pixel': 'correct or remove it',
    'a box lies outside of its image': 'correct or remove it, or the size of the image',
    'a box reaches beyond its image': 'clip it, if it was not meant',
}
NOT_FINITE, INVERTED, EMPTY, THIN, OUTSIDE, BEYOND = BOX_CURES


def box_fault(box: Sequence[float], width: float, height: float) -> str | None:
    """Look at one box.

    Args:
        box (Sequence[float]): Its corners x1, y1, x2, y2 in pixels.
        width (float): Width of the image.
        height (float): Height of the image.

    Returns:
        str | None: A key of ``BOX_CURES``; None for a good box.
    """
    if not all(math.isfinite(v) and abs(v) < FARTHEST for v in box):
        return NOT_FINITE
    x1, y1, x2, y2 = box
    if x2 < x1 or y2 < y1:
        return INVERTED
    if x2 == x1 or y2 == y1:
        return EMPTY
    if x2 - x1 < 1 or y2 - y1 < 1:
        return THIN
    if x1 >= width or y1 >= height or x2 <= 0 or y2 <= 0:
        return OUTSIDE
    if x1 < -1 or y1 < -1 or x2 > width + 1 or y2 > height + 1:
        return BEYOND
    return None


# What a mask's fault is called: whether it ends the loading of masks (of
# bitmaps only, for run lengths), and whether it ends their evaluation; as tried
# with mmdet 3.5.1.
MASK_FAULTS = {
    'an object has no segmentation': (True, True),
    'a segmentation is no list of polygons and no run lengths': (True, True),
    'a polygon has fewer than three points': (False, True),
    'a polygon has an odd number of coordinates': (False, False),
    'a polygon has points that are no places in an image': (True, True),  # pycocotools hangs
    'run lengths are of another size than the image': (True, False),
    'run lengths go beyond their size': (True, False),
    'run lengths end before their size, and the rest is filled at random': (False, False),
}
MISSING, UNKNOWN, SHORT, ODD, NO_PLACE, OTHER_SIZE, TOO_LONG, TOO_SHORT = MASK_FAULTS
MASK_CURE = 'give the object polygons of three points or more, or run lengths, or remove it'


def rank_mask_fault(fault: str, usage: Usage) -> str:
    """Tell how bad a mask's fault is.

    Args:
        fault (str): A key of ``MASK_FAULTS``.
        usage (Usage): What of the masks is used.

    Returns:
        str: A severity.
    """
    loading, evaluation = MASK_FAULTS[fault]
    if fault in (OTHER_SIZE, TOO_LONG):
        loading = usage.bitmaps
    if (usage.masks and loading) or (usage.segm and evaluation):
        return 'fatal'
    return 'warning' if usage.masks or usage.segm else 'note'


def mask_fault(mask: object, width: int, height: int) -> str | None:
    """Look at the mask of one object.

    Args:
        mask (object): COCO's ``segmentation``: polygons or run lengths.
        width (int): Width of the image.
        height (int): Height of the image.

    Returns:
        str | None: A key of ``MASK_FAULTS``; None for a good mask.
    """
    if not mask:
        return MISSING
    if isinstance(mask, dict):
        return _run_length_fault(mask, width, height)
    if not isinstance(mask, (list, tuple)) or not all(isinstance(p, (list, tuple)) for p in mask):
        return UNKNOWN
    if any(len(polygon) < 6 for polygon in mask):
        return SHORT
    if any(len(polygon) % 2 for polygon in mask):
        return ODD
    return None if all(map(_is_in_an_image, mask)) else NO_PLACE


def _is_in_an_image(polygon: Sequence[float]) -> bool:
    try:  # a sum of NaN is one, and the others are compared at C's speed
        sure = math.isfinite(sum(polygon))
        return sure and min(polygon) > -FARTHEST and max(polygon) < FARTHEST
    except TypeError:  # strings, or nothing
        return False


def _run_length_fault(mask: dict, width: int, height: int) -> str | None:
    size, counts = mask.get('size'), mask.get('counts')
    if not isinstance(size, (list, tuple)) or not isinstance(counts, (list, str, bytes)):
        return UNKNOWN
    if list(size) != [height, width]:
        return OTHER_SIZE
    if not isinstance(counts, list):
        counts = _decompress(counts.encode() if isinstance(counts, str) else counts)
    if not all(isinstance(count, int) and count >= 0 for count in counts):
        return UNKNOWN
    missing = height * width - sum(counts)
    return TOO_LONG if missing < 0 else TOO_SHORT if missing else None


def _decompress(text: bytes) -> list[int]:
    """Read the run lengths of pycocotools' strings: 5 bits and one for more in a letter.

    Args:
        text (bytes): The string.

    Returns:
        list[int]: The lengths; one below zero says that it is no such string.
    """
    counts: list[int] = []
    value = shift = 0
    for letter in text:
        bits = letter - 48
        if not 0 <= bits < 64:
            return [-1]
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return [-1] if shift else counts
