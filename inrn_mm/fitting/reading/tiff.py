"""TIFF files of more than 8 bits.

OpenCV decodes the samples but knows little of what they mean: it leaves
inverted and premultiplied ones as they are, mixes up those in separate planes,
and version 5 cannot turn a picture onto its side (white pixels, or an internal
error). The tags are therefore read here.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .checks import UnreadableImage, check_read
from .orientation import oriented

# Numbers of tags, and the value of one that is not there.
TAGS = dict(
    subfile=(254, 0),
    width=(256, 0),
    height=(257, 0),
    bits=(258, 1),
    photometric=(262, 1),
    orientation=(274, 1),
    samples=(277, 1),
    planar=(284, 1),
    extra=(338, 0),
    number=(339, 1),
)
PHOTOMETRIC = {
    0: 'gray, 0 is white',
    1: 'gray',
    2: 'RGB',
    3: 'a palette',
    5: 'CMYK',
    6: 'YCbCr',
    8: 'CIE Lab',
    9: 'ICC Lab',
    10: 'ITU Lab',
}
LAB = (8, 9, 10)
KINDS = {1: 'unsigned', 2: 'signed', 3: 'floating-point'}
SIZES = {1: 'B', 3: 'H', 4: 'I', 16: 'Q'}  # of the types of values read here
MAX_PAGES = 2**16


@dataclass
class Page:
    """What the tags of one page say; only first values are kept.

    Args:
        tags (dict[str, int]): The values by the names of :data:`TAGS`.
        place (int, optional): Byte of the orientation in the file.
            Defaults to None, it has none.
        order (str): ``'<'`` or ``'>'``, of bytes. Defaults to ``'<'``.
    """

    tags: dict[str, int]
    place: int | None = None
    order: str = '<'


def read_pages(path: Path) -> list[Page] | None:
    """Read the tags of all pages.

    Args:
        path (Path): A file.

    Returns:
        list[Page], optional: None if it is no TIFF.
    """
    with open(path, 'rb') as file:
        head = file.read(16)
        kinds = {b'II*\0': '<', b'MM\0*': '>', b'II+\0': '<', b'MM\0+': '>'}
        order = kinds.get(head[:4])
        if order is None:
            return None
        big = head[2:4] in (b'+\0', b'\0+')
        (offset,) = struct.unpack_from(order + ('Q' if big else 'I'), head, 8 if big else 4)
        pages: list[Page] = []
        while offset and len(pages) < MAX_PAGES:
            page, offset = _read_page(file, offset, order, big)
            pages.append(page)
    return pages


def _read_page(file, offset: int, order: str, big: bool) -> tuple[Page, int]:
    """Read the tags at an offset, and the offset of the next."""

    def unpack(form: str, place: int) -> tuple:
        file.seek(place)
        form = order + form
        return struct.unpack(form, file.read(struct.calcsize(form)))

    (count,) = unpack('Q' if big else 'H', offset)
    start, entry, inline = (offset + 8, 20, 12) if big else (offset + 2, 12, 8)
    found, place = {}, None
    for at in range(start, start + count * entry, entry):
        tag, kind, number = unpack('HHQ' if big else 'HHI', at)
        size = SIZES.get(kind)
        if not size or not number:
            continue
        value = at + inline
        if number * struct.calcsize(size) > (8 if big else 4):
            (value,) = unpack('Q' if big else 'I', value)
        elif tag == TAGS['orientation'][0] and size == 'H':
            place = value
        if tag in {number for number, _ in TAGS.values()}:
            (found[tag],) = unpack(size, value)
    tags = {name: found.get(number, default) for name, (number, default) in TAGS.items()}
    (following,) = unpack('Q' if big else 'I', start + count * entry)
    return Page(tags, place, order), following


def shown(pages: list[Page]) -> list[int]:
    """List the pages that are no thumbnails or masks of others.

    Args:
        pages (list[Page]): All.

    Returns:
        list[int]: Their numbers; the first page is always one.
    """
    return [i for i, page in enumerate(pages) if i == 0 or not page.tags['subfile'] & 5]


def is_deep(page: Page) -> bool:
    """Tell whether a page is for :func:`read_deep`.

    Args:
        page (Page): Its tags.

    Returns:
        bool: Whether Pillow would cut it to 8 bits or mistake its colours.
    """
    tags = page.tags
    odd = tags['number'] not in (1, 4) or tags['samples'] > 4  # 4: whatever the writer meant
    return tags['bits'] > 8 or tags['photometric'] in LAB or odd


def read_deep(path: Path, number: int, page: Page) -> np.ndarray:
    """Read a page of 16-bit or floating-point samples.

    Args:
        path (Path): The file.
        number (int): Number of the page.
        page (Page): Its tags.

    Returns:
        np.ndarray: ``(H, W, C)``, uint16 or float32.

    Raises:
        UnreadableImage: If its samples mean something else than gray, RGB or
            RGBA.
    """
    import cv2

    tags = page.tags
    _need_known(path, tags)
    check_read(path, (tags['width'], tags['height']), tags['samples'], tags['bits'] // 8)
    data = bytearray(path.read_bytes())
    if page.place is not None:  # turned here, not by OpenCV
        struct.pack_into(page.order + 'H', data, page.place, 1)
    buffer = np.frombuffer(data, np.uint8)
    if number:
        _, found = cv2.imdecodemulti(buffer, cv2.IMREAD_UNCHANGED)
        pixels = found[number]
    else:
        pixels = cv2.imdecode(buffer, cv2.IMREAD_UNCHANGED)
    shape = tags['height'], tags['width']
    if pixels is None or pixels.shape[:2] != shape or pixels.dtype.itemsize * 8 != tags['bits']:
        raise OSError('not decoded by OpenCV')
    pixels = to_rgb(pixels)
    if pixels.dtype.kind == 'f':
        pixels = pixels.astype(np.float32, copy=False)
    if tags['photometric'] == 0:
        pixels = 65535 - pixels
    if tags['samples'] == 4 and tags['extra'] == 1:
        pixels = _without_alpha(pixels)
    return oriented(pixels, tags['orientation'])


def _need_known(path: Path, tags: dict[str, int]) -> None:
    """Refuse samples that are not read exactly."""
    samples, number, photometric = tags['samples'], tags['number'], tags['photometric']
    meanings = {1: (0, 1) if number == 1 else (1,), 3: (2,), 4: (2,)}
    known = (
        photometric in meanings.get(samples, ())
        and (tags['bits'], number) in ((16, 1), (32, 3), (64, 3))
        and (samples == 1 or tags['planar'] == 1)
    )
    if not known:
        colours = PHOTOMETRIC.get(photometric, f'colours of kind {photometric}')
        planes = ', each in a plane,' if tags['planar'] == 2 else ''
        raise UnreadableImage(
            f'{path} is a TIFF of {samples} channel(s){planes} of {tags["bits"]} bits, '
            f'{KINDS.get(number, "other")} numbers in {colours}, which is not read exactly: save '
            'it as gray, RGB or RGBA in 8 or 16 bits, or in floating point.'
        )


def _without_alpha(pixels: np.ndarray) -> np.ndarray:
    """Divide colours by the alpha that they were multiplied with."""
    largest = 65535 if pixels.dtype == np.uint16 else 1
    alpha = pixels[..., 3:].astype(np.float64)
    colours = pixels[..., :3].astype(np.float64) * largest / np.where(alpha > 0, alpha, 1)
    colours = np.where(alpha > 0, colours.clip(0, largest), 0)
    if largest > 1:
        colours = colours.round()
    return np.concatenate([colours.astype(pixels.dtype), pixels[..., 3:]], 2)


def to_rgb(pixels: np.ndarray) -> np.ndarray:
    """Bring OpenCV's order of channels to ours.

    Args:
        pixels (np.ndarray): Shape ``(H, W)`` or ``(H, W, C)``, BGR or BGRA.

    Returns:
        np.ndarray: Shape ``(H, W, C)``, gray, RGB or RGBA.
    """
    if pixels.ndim == 2:
        return pixels[..., None]
    # unlike an index, take() leaves the usual order in memory
    return pixels.take([2, 1, 0, 3][: pixels.shape[-1]], -1)
