"""Entropy coding of quantised weights by constriction's ANS coder.

The coder needs the probability of each code. Three descriptions are tried for
each tensor, and the one that makes the file smallest is kept: a Gaussian or a
Laplace distribution (two bytes), or a table (a byte for each code in use).
All of it is in the file.
"""

import math
import struct
from collections.abc import Sequence

import numpy as np

GAUSSIAN, LAPLACE, TABLE = range(3)


def encode(tensors: Sequence[np.ndarray], largest: int) -> tuple[bytes, bytes]:
    """Code tensors one after the other.

    Args:
        tensors (Sequence[ndarray]): Int32 codes of shape ``(N,)``, N > 0.
        largest (int): The largest absolute value that can occur.

    Returns:
        tuple[bytes, bytes]: Descriptions of the distributions, and the code.
    """
    ans = library().stream.stack
    described = [_describe(codes, largest) for codes in tensors]
    coder = ans.AnsCoder()
    # a stack: what is encoded last is decoded first
    for codes, description in zip(reversed(tensors), reversed(described)):
        model, lowest, _ = _model(description, 0, largest)
        coder.encode_reverse(codes - lowest, model)
    return b''.join(described), coder.get_compressed().astype('<u4').tobytes()


def decode(
    descriptions: bytes, code: bytes, counts: Sequence[int], largest: int
) -> list[np.ndarray]:
    """Undo :func:`encode`.

    Args:
        descriptions (bytes): The distributions.
        code (bytes): The tensors.
        counts (Sequence[int]): Their numbers of elements.
        largest (int): As when encoding.

    Returns:
        list[ndarray]: Int32 codes, each of shape ``(N,)``.
    """
    ans = library().stream.stack
    coder = ans.AnsCoder(np.frombuffer(code, '<u4').astype(np.uint32))
    tensors, offset = [], 0
    for count in counts:
        model, lowest, offset = _model(descriptions, offset, largest)
        tensors.append(coder.decode(model, count) + lowest)
    return tensors


def _describe(codes: np.ndarray, largest: int) -> bytes:
    """Choose the description that needs the fewest bits in all."""
    lowest, highest = int(codes.min()), int(codes.max())
    counts = np.bincount(codes - lowest, minlength=highest - lowest + 1)
    # zero would be a code that cannot be decoded
    table = np.where(counts, np.maximum(np.rint(counts * (255 / counts.max())), 1), 0)
    mean_square = np.mean(np.square(codes, dtype=np.float64))
    spread = max(np.sqrt(mean_square), 0.05)
    scale = max(np.mean(np.abs(codes)), 0.05)
    candidates = [
        struct.pack('<Be', GAUSSIAN, spread),
        struct.pack('<Be', LAPLACE, scale),
        struct.pack('<BbB', TABLE, lowest, highest - lowest) + table.astype(np.uint8).tobytes(),
    ]

    def size(description: bytes) -> int:
        coder = library().stream.stack.AnsCoder()
        model, shift, _ = _model(description, 0, largest)
        coder.encode_reverse(codes - shift, model)
        return coder.num_valid_bits() + 8 * len(description)

    return min(candidates, key=size)


def _model(data: bytes, offset: int, largest: int) -> tuple:
    """Read the distribution described at an offset.

    Returns:
        tuple: constriction's model, what to add to its symbols, and the
        offset behind the description.
    """
    models = library().stream.model
    (kind,) = struct.unpack_from('<B', data, offset)
    if kind == TABLE:
        _, lowest, span = struct.unpack_from('<BbB', data, offset)
        start = offset + 3
        table = np.frombuffer(data, np.uint8, span + 1, start)
        if not -largest <= lowest <= lowest + span <= largest or not table.any():
            raise ValueError(f'a table of the codes {lowest} to {lowest + span}')
        if span == 0:  # an alphabet of one, which constriction has no use for
            table = np.array([255, 0], np.uint8)
        model = models.Categorical(table.astype(np.float64), perfect=False)
        return model, lowest, start + span + 1
    family = {GAUSSIAN: models.QuantizedGaussian, LAPLACE: models.QuantizedLaplace}[kind]
    _, width = struct.unpack_from('<Be', data, offset)
    if not 0 < width < math.inf:  # constriction would panic
        raise ValueError(f'a distribution of the width {width}')
    return family(-largest, largest, 0.0, width), 0, offset + 3


def library():
    """Import constriction.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import constriction
    except ImportError:
        raise ImportError(
            'Compact files need the package constriction: pip install -r requirements/fit.txt.'
        ) from None
    return constriction
