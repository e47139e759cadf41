"""The image files of a set: that they are there, whole, and of their size."""

import hashlib
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from mmengine.fileio import get

from ...utils.config_types import type_name
from .findings import Findings
from .records import Record

THREADS = 8
CHUNK = 256  # images between two looks at the clock
ORIENTATION = 0x0112  # EXIF's tag
ENDS = {b'\xff\xd8': b'\xff\xd9', b'\x89P': b'IEND'}  # of JPEG and PNG, by their beginnings
CUT_OFF = (
    'error',
    'an image file is cut off: it does not decode, or the rest of it is grey',
    'get it again or remove it',
)
SIZE_CURE = 'correct width and height, or the image: boxes are placed by the annotated size'


@dataclass
class Look:
    """What was seen of one image file.

    Args:
        record (Record): The image.
        severity (str): Severity of the fault; '' for a good file.
        text (str): What is wrong. Defaults to ''.
        cure (str): What to do. Defaults to ''.
        detail (str): What is said of this file. Defaults to ''.
        digest (str): Digest of the file's bytes, if they were read. Defaults to ''.
    """

    record: Record
    severity: str = ''
    text: str = ''
    cure: str = ''
    detail: str = ''
    digest: str = ''

    def tell(self, found: Findings) -> None:
        """Add the fault, if there is one.

        Args:
            found (Findings): Added to.
        """
        if self.severity:
            item = f'{self.record.name} {self.detail}'.strip()
            found.add(self.severity, self.text, self.cure, self.record.source, item)


def loader_config(dataset: dict) -> dict | None:
    """Find the step of a pipeline that reads the images.

    Args:
        dataset (dict): The set's config, unwrapped.

    Returns:
        dict | None: The step's config.
    """
    for step in dataset.get('pipeline') or []:
        if isinstance(step, dict) and type_name(step).startswith('LoadImage'):
            return step
    return None


def is_local(*backends: dict | None) -> bool:
    """Tell whether images are plain files of this machine.

    Args:
        *backends (dict | None): The ``backend_args`` of a set and of its
            pipeline's steps.

    Returns:
        bool: False for LMDB, object stores and the like.
    """
    names = [(backend or {}).get('backend', 'local') for backend in backends]
    return all(name in ('local', 'disk', 'LocalBackend') for name in names)


def look_at_header(record: Record) -> Look:
    """Read the size of an image from its first bytes.

    Args:
        record (Record): The image, a plain file.

    Returns:
        Look: A missing or empty file, or another size than annotated.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        if not os.path.getsize(record.path):
            return Look(record, 'fatal', 'an image file is empty', 'get it again or remove it')
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of large images
            with Image.open(record.path) as image:
                size, turned = image.size, _may_be_turned(image)
        whole = _is_whole(record.path)
    except FileNotFoundError:
        return Look(record, 'fatal', 'an image file does not exist', 'add or remove it')
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        # other readers may know it
        return Look(record, 'warning', 'an image file is of no known format', 'look at it')
    if record.size is None or record.size in (size, size[::-1] if turned else size):
        return Look(record) if whole else Look(record, *CUT_OFF)
    detail = f'is {size[0]} x {size[1]}, not {record.size[0]} x {record.size[1]}'
    return Look(record, 'error', 'an image is of another size than annotated', SIZE_CURE, detail)


def look_at_pixels(record: Record, load: Callable[[dict], dict], backend_args=None) -> Look:
    """Decode an image as the training does.

    Args:
        record (Record): The image.
        load (Callable): The pipeline's first step.
        backend_args (dict, optional): Arguments of the file backend. Defaults to None.

    Returns:
        Look: What does not decode, or gives another size than annotated.
    """
    try:
        raw = get(record.path, backend_args)
    except OSError as error:
        return Look(record, 'fatal', 'an image cannot be read', 'add or remove it', str(error))
    if raw is None:  # LMDB's answer
        return Look(record, 'fatal', 'an image cannot be read', 'add or remove it', 'not in there')
    digest = hashlib.blake2b(raw, digest_size=16).hexdigest()
    if not raw:
        return Look(record, 'fatal', 'an image file is empty', 'get it again or remove it')
    try:
        shape = load(dict(img_path=record.path))['img'].shape[:2]
    except Exception as error:  # cv2, mmcv and PIL have each their own
        detail = f'{type(error).__name__}: {str(error).strip()[:100]}'
        cure = 'get it again or remove it'
        return Look(record, 'fatal', 'an image does not decode', cure, detail, digest)
    size = shape[::-1]
    if record.size is not None and size != tuple(record.size):
        detail = f'is {size[0]} x {size[1]}, not {record.size[0]} x {record.size[1]}'
        text = 'an image is of another size than annotated'
        return Look(record, 'error', text, SIZE_CURE, detail, digest)
    if not _has_end(raw[:2], raw[-1024:]):
        return Look(record, *CUT_OFF, digest=digest)
    return Look(record, digest=digest)


def _may_be_turned(image) -> bool:
    """Tell whether readers may lay an image on its side."""
    if image.format in ('JPEG', 'MPO'):
        return image.getexif().get(ORIENTATION, 1) >= 5
    return 'exif' in image.info  # for others, getexif decodes all of it


def _is_whole(path: str) -> bool:
    with open(path, 'rb') as file:
        start = file.read(2)
        file.seek(max(os.path.getsize(path) - 1024, 0))
        return _has_end(start, file.read())


def _has_end(start: bytes, end: bytes) -> bool:
    return start not in ENDS or ENDS[start] in end


def look_at_all(
    records: Iterable[Record], look: Callable[[Record], Look], seconds: float | None = None
) -> Iterator[Look]:
    """Look at many images beside each other; decoders release Python's lock.

    Args:
        records (Iterable[Record]): The images.
        look (Callable): At one of them.
        seconds (float, optional): When to stop. Defaults to None: at the end.

    Yields:
        Look: Each image, in order.
    """
    begin = time.monotonic()
    records = iter(records)
    with ThreadPoolExecutor(THREADS) as pool:
        while chunk := list(islice(records, CHUNK)):
            yield from pool.map(look, chunk)
            if seconds is not None and time.monotonic() - begin > seconds:
                return
