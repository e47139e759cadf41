"""The bytes of a compact file around its content.

    magic 'INRN'      4 bytes
    version           1
    length, CRC-32    4 each, of the rest
    rest              length of the header (4), header (JSON, zlib), sections

Whole numbers are little-endian. The header's ``sections`` has the lengths of
all sections but the last, which takes the rest.
"""

import json
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from ...engine.checkpoints.writing import AtomicBackend

MAGIC, VERSION = b'INRN', 1
NUM_SECTIONS = 4
PRELUDE, LENGTH = struct.Struct('<4sBII'), struct.Struct('<I')
# A header is a kilobyte or two; zlib could make gigabytes of one.
MAX_HEADER = 2**24


def pack(header: dict, sections: Sequence[bytes]) -> bytes:
    """Put a file together.

    Args:
        header (dict): Values of JSON types.
        sections (Sequence[bytes]): :data:`NUM_SECTIONS` of them.

    Returns:
        bytes: The file.
    """
    header = dict(header, sections=[len(s) for s in sections[:-1]])
    packed = zlib.compress(json.dumps(header, separators=(',', ':')).encode(), 9)
    rest = b''.join([LENGTH.pack(len(packed)), packed, *sections])
    return PRELUDE.pack(MAGIC, VERSION, len(rest), zlib.crc32(rest)) + rest


def unpack(data: bytes, name: str) -> tuple[dict, list[bytes]]:
    """Take a file apart.

    Args:
        data (bytes): All of the file.
        name (str): What to call it in messages.

    Returns:
        tuple[dict, list[bytes]]: The header, and the sections.

    Raises:
        ValueError: If it is no such file, of another version, truncated or
            changed.
    """
    if data[:4] != MAGIC:
        raise ValueError(
            f'{name} is not a compact fit (.inrn): give a file '
            'that tools/fit_image.py or fit_video.py wrote.'
        )
    if len(data) > 4 and data[4] != VERSION:
        raise ValueError(
            f'{name} is of version {data[4]} of the compact format and this '
            f'inrn_mm reads version {VERSION}: decode it with the inrn_mm '
            'that wrote it.'
        )
    missing = PRELUDE.size - len(data)
    if missing <= 0:
        _, _, length, checksum = PRELUDE.unpack_from(data)
        rest = data[PRELUDE.size :]
        missing = length - len(rest)
    if missing > 0:
        raise ValueError(f'{name} is truncated, {missing} bytes or more are missing: get it again.')
    if missing < 0 or zlib.crc32(rest) != checksum:
        raise ValueError(f'{name} is damaged, its checksum is wrong: get it again.')
    try:
        return _take_apart(rest)
    except (ValueError, KeyError, TypeError, RecursionError, struct.error, zlib.error) as error:
        raise ValueError(
            f'{name} is damaged, its header cannot be read ({error}): get it again.'
        ) from error


def _take_apart(rest: bytes) -> tuple[dict, list[bytes]]:
    start = LENGTH.size + LENGTH.unpack_from(rest)[0]
    unzip = zlib.decompressobj()
    plain = unzip.decompress(rest[LENGTH.size : start], MAX_HEADER)
    if unzip.unconsumed_tail:
        raise ValueError('it is too long')
    header = json.loads(plain)
    sections = []
    if len(header['sections']) != NUM_SECTIONS - 1:
        raise ValueError(f'it does not have {NUM_SECTIONS} sections')
    for size in header['sections']:
        if size < 0:
            raise ValueError('a section has a negative length')
        sections.append(rest[start : start + size])
        start += size
    return header, [*sections, rest[start:]]


def write(path: str | Path, data: bytes, force: bool = False) -> None:
    """Write a file, which appears whole or not at all.

    Args:
        path (str | Path): The file.
        data (bytes): Its content.
        force (bool): Overwrite. Defaults to False.

    Raises:
        FileExistsError: If there is one and ``force`` was not given.
    """
    check_free(path, force)
    AtomicBackend().put(data, path)


def check_free(path: str | Path, force: bool = False) -> None:
    """Refuse to overwrite what is there.

    Args:
        path (str | Path): What is to be written.
        force (bool): Allow it all the same. Defaults to False.

    Raises:
        FileExistsError: If there is something and ``force`` was not given.
    """
    if Path(path).exists() and not force:
        raise FileExistsError(f'{path} exists: choose another name, or overwrite it with --force.')


def read(path: str | Path) -> tuple[dict, list[bytes]]:
    """Read a file and take it apart; see :func:`unpack`.

    Args:
        path (str | Path): The file.

    Returns:
        tuple[dict, list[bytes]]: Header and sections.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no compact file, of another version or damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'The compact file {path} does not exist.')
    return unpack(path.read_bytes(), str(path))
