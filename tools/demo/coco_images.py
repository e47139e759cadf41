"""Images of the demo's COCO set: digits laid on a piece of a photograph."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from .coco_sources import TRAIN_SHARE, DemoCocoSettings

# At most this share of a digit is covered by those laid over it.
MAX_COVER = 0.25
# Digits of the tiny case and of a crowd heap, in units of the image side.
TINY_SIDE = (0.05, 0.08)
HEAP_SIDE = (0.09, 0.12)


def compose_image(
    rng: np.random.Generator,
    split: str,
    settings: DemoCocoSettings,
    photographs: dict[str, np.ndarray],
    glyphs: Sequence[dict[int, np.ndarray]],
) -> tuple[np.ndarray, dict, list[dict]]:
    """Lay digits on a piece of a photograph.

    Args:
        rng (np.random.Generator): Source of every choice.
        split (str): 'train' or 'val'; chooses the part of the photograph.
        settings (DemoCocoSettings): Sizes and numbers.
        photographs (dict[str, ndarray]): See :func:`load_photographs`.
        glyphs (Sequence[dict]): The split's scans by label, see
            :func:`load_glyphs`.

    Returns:
        tuple[ndarray, dict, list[dict]]: uint8 BGR image of shape
        (size, size, 3); where the background is from (``photograph``,
        ``crop`` as x, y, w, h in its pixels); and the objects from the lowest
        to the topmost, each with ``mask`` (bool, (size, size), visible
        pixels), ``label``, ``iscrowd`` and ``samples`` (indices of scans).
    """
    image, source = _background(rng, split, settings.size, photographs)
    objects: list[dict] = []

    def scan_of(label: int) -> tuple[int, np.ndarray]:
        index = int(rng.choice(list(glyphs[label])))
        return index, glyphs[label][index]

    if rng.random() < settings.crowd:
        _lay_heap(rng, image, objects, settings, scan_of)
    sides = list(
        np.exp(
            rng.uniform(
                *np.log(settings.side), rng.integers(settings.objects[0], settings.objects[1] + 1)
            )
        )
    )
    if rng.random() < settings.tiny:
        sides.append(rng.uniform(*TINY_SIDE))
    # Large ones first: what comes later still finds a gap.
    for side in sorted(sides, reverse=True):
        label = int(rng.integers(settings.classes))
        index, glyph = scan_of(label)
        alpha = _draw_glyph(
            glyph, side * settings.size, rng.uniform(-settings.max_angle, settings.max_angle)
        )
        spot = _find_spot(rng, alpha, objects, settings.size)
        if spot is not None:
            _lay(rng, image, objects, alpha, spot, dict(label=label, iscrowd=0, samples=[index]))
    return image, source, objects


def _background(
    rng: np.random.Generator, split: str, size: int, photographs: dict[str, np.ndarray]
) -> tuple[np.ndarray, dict]:
    """Cut a square out of the split's part of a photograph and dim it."""
    name = str(rng.choice(list(photographs)))
    photograph = photographs[name]
    height, width = photograph.shape[:2]
    cut = round(TRAIN_SHARE * width)
    left, right = (0, cut) if split == 'train' else (cut, width)
    largest = min(height, right - left)
    side = int(rng.integers(largest // 2, largest + 1))
    x = int(rng.integers(left, right - side + 1))
    y = int(rng.integers(0, height - side + 1))
    piece = photograph[y : y + side, x : x + side]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    piece = cv2.resize(
        np.ascontiguousarray(piece),
        (size, size),
        interpolation=cv2.INTER_AREA if side > size else cv2.INTER_CUBIC,
    )
    # Dimmed, so that a bright digit stands out from any photograph.
    image = (piece * rng.uniform(0.4, 0.7)).astype(np.float32)
    return image, dict(photograph=name, crop=[x, y, side, side])


def _draw_glyph(glyph: np.ndarray, side: float, angle: float) -> np.ndarray:
    """Enlarge and turn a scan; opacity in [0, 1] of the tight rectangle."""
    reach = int(np.ceil(side * 1.5)) + 2
    matrix = cv2.getRotationMatrix2D((3.5, 3.5), angle, side / 8)
    matrix[:, 2] += reach / 2 - 3.5
    smooth = cv2.warpAffine(glyph, matrix, (reach, reach), flags=cv2.INTER_CUBIC)
    alpha = np.clip((smooth - 0.3) / 0.3, 0, 1)
    rows, columns = np.nonzero(alpha > 0.5)
    return alpha[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _find_spot(
    rng: np.random.Generator, alpha: np.ndarray, objects: list[dict], size: int
) -> tuple[int, int] | None:
    """Find a place that leaves what is already there visible."""
    height, width = alpha.shape
    solid = alpha > 0.5
    for _ in range(30):
        x = int(rng.integers(0, size - width + 1))
        y = int(rng.integers(0, size - height + 1))
        window = np.s_[y : y + height, x : x + width]
        visible = (
            np.count_nonzero(o['mask']) - np.count_nonzero(o['mask'][window] & solid)
            for o in objects
        )
        if all(v >= (1 - o['max_cover']) * o['area'] for v, o in zip(visible, objects)):
            return x, y
    return None


def _lay(
    rng: np.random.Generator,
    image: np.ndarray,
    objects: list[dict],
    alpha: np.ndarray,
    spot: tuple[int, int],
    entry: dict,
) -> None:
    """Paint a digit and take its pixels from the objects below it."""
    x, y = spot
    height, width = alpha.shape
    window = np.s_[y : y + height, x : x + width]
    hue, saturation = rng.uniform(0, 180), rng.uniform(0, 140)
    hsv = np.uint8([[[hue, saturation, rng.uniform(215, 255)]]])
    colour = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)[0, 0]
    opacity = alpha[..., None]
    image[window] = image[window] * (1 - opacity) + colour * opacity

    mask = np.zeros(image.shape[:2], bool)
    mask[window] = alpha > 0.5
    for below in objects:
        below['mask'] &= ~mask
    objects.append(dict(entry, mask=mask, area=np.count_nonzero(mask), max_cover=MAX_COVER))


def _lay_heap(
    rng: np.random.Generator,
    image: np.ndarray,
    objects: list[dict],
    settings: DemoCocoSettings,
    scan_of: Callable[[int], tuple[int, np.ndarray]],
) -> None:
    """Heap small digits of one class: one crowd object."""
    size = settings.size
    label = int(rng.integers(settings.classes))
    centre = rng.uniform(0.2, 0.8, 2) * size
    heap: list[dict] = []
    for _ in range(int(rng.integers(8, 14))):
        index, glyph = scan_of(label)
        alpha = _draw_glyph(glyph, rng.uniform(*HEAP_SIDE) * size, rng.uniform(-180, 180))
        height, width = alpha.shape
        x, y = (centre + rng.normal(0, 0.06 * size, 2)).astype(int)
        spot = (int(np.clip(x, 0, size - width)), int(np.clip(y, 0, size - height)))
        _lay(rng, image, heap, alpha, spot, dict(samples=[index]))
    mask = np.any([o['mask'] for o in heap], axis=0)
    objects.append(
        dict(
            mask=mask,
            area=np.count_nonzero(mask),
            max_cover=0,
            label=label,
            iscrowd=1,
            samples=sum((o['samples'] for o in heap), []),
        )
    )
