"""A fit as one small file, and back."""

import contextlib
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..networks.base import FittingNet
from ..signal import Signal
from . import container, entropy
from .allowed import build_net, check_types
from .quantize import check_finite, check_half, dequantize, largest_code, num_steps, quantize
from .sizes import build_within, check_header

BITS = (2, 3, 4, 5, 6, 7, 8, 16, 32)
# A tensor with a smaller share of the weights than this keeps 16 bits: first
# and last layers, which quantisation harms most and which weigh little.
SMALL = 0.01
# How a tensor is stored: quantised, as 16-bit or 32-bit floats, as integers.
QUANTISED, HALF, FLOAT, INTEGER = KINDS = 'qhfi'
RAW = {HALF: '<f2', FLOAT: '<f4', INTEGER: '<i8'}


@dataclass
class CompactFit:
    """What a compact file holds.

    Args:
        net (FittingNet): The network, with its weights.
        net_cfg (dict): The config that it was built from.
        signal (Signal): Shape, range and frame rate of the target.
        bits (int): Bits of a large weight.
        size (int): Bytes of the file.
    """

    net: FittingNet
    net_cfg: dict
    signal: Signal
    bits: int
    size: int

    @property
    def bits_per_pixel(self) -> float:
        """float: All of the file over the pixels of all frames."""
        frames, height, width, _ = self.signal.shape
        return 8 * self.size / (frames * height * width)


def check_bits(bits: int) -> None:
    """Refuse what weights are not stored with.

    Args:
        bits (int): Bits of a large weight.

    Raises:
        ImportError: Without the entropy coder.
        ValueError: If the number is none of :data:`BITS`.
    """
    entropy.library()
    if bits not in BITS:
        raise ValueError(f'bits is 2 to 8, 16 or 32, not {bits}.')


def encode_fit(
    net: FittingNet, net_cfg: dict, signal: Signal, bits: int = 8, per_channel: bool = True
) -> bytes:
    """Compress a fitted network.

    Large weights are quantised and entropy-coded; the few others are 16-bit
    floats, and constants (buffers, if they are no feature maps like HNeRV's
    embeddings) stay exact. Steps, entropy models and header are in the bytes.

    Args:
        net (FittingNet): The network.
        net_cfg (dict): The config that it was built from.
        signal (Signal): Its target; only shape, range and rate are stored.
        bits (int): Bits of a large weight: 2 to 8, 16 (half precision) or 32
            (exact). Defaults to 8.
        per_channel (bool): Steps of their own for each output channel.
            Defaults to True.

    Returns:
        bytes: The file.

    Raises:
        ValueError: If the bits are others, the config holds what a file must
            not, or weights are not finite.
    """
    check_bits(bits)
    net_cfg = plain_config(net_cfg)
    state = net.decoder_state()
    kinds = _choose_kinds(net, state, bits)
    quantised, peaks, raw = [], [], []
    for kind, value in zip(kinds, state.values()):
        value = value.detach().cpu()
        if kind == QUANTISED:
            codes, peak = quantize(value, bits, per_channel)
            quantised.append(codes.flatten().numpy())
            peaks.append(peak.numpy().astype('<f2').tobytes())
        else:
            check_finite(value)
            if kind == HALF:
                check_half(value)
            raw.append(value.numpy().astype(RAW[kind]).tobytes())
    descriptions = code = b''
    if quantised:
        descriptions, code = entropy.encode(quantised, largest_code(bits))
    header = dict(
        net=net_cfg,
        shape=signal.shape,
        max=signal.max_value,
        fps=signal.fps,
        bits=bits,
        rows=per_channel,
        kinds=kinds,
        layout=_layout(net),
    )
    return container.pack(header, [b''.join(raw), b''.join(peaks), descriptions, code])


def write_fit(
    path: str | Path,
    net: FittingNet,
    net_cfg: dict,
    signal: Signal,
    bits: int = 8,
    per_channel: bool = True,
    force: bool = False,
) -> int:
    """Write a compact file, whole or not at all; see :func:`encode_fit`.

    Args:
        path (str | Path): The file.
        net (FittingNet): The network.
        net_cfg (dict): The config that it was built from.
        signal (Signal): Its target; only shape, range and rate are stored.
        bits (int): Bits of a large weight: 2 to 8, 16 or 32. Defaults to 8.
        per_channel (bool): As in :func:`encode_fit`. Defaults to True.
        force (bool): Overwrite. Defaults to False.

    Returns:
        int: Its bytes.

    Raises:
        FileExistsError: If there is one and ``force`` was not given.
        ValueError: If it cannot be encoded.
    """
    container.check_free(path, force)
    data = encode_fit(net, net_cfg, signal, bits, per_channel)
    container.write(path, data, force)
    return len(data)


def read_fit(path: str | Path) -> CompactFit:
    """Open a compact file; nothing of it is run as code.

    Args:
        path (str | Path): The file.

    Returns:
        CompactFit: On the CPU, in eval mode.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no compact file, of another version, truncated,
            damaged, or asks for what this inrn_mm does not have.
    """
    header, sections = container.read(path)
    size = Path(path).stat().st_size
    with _decodable(path):
        check_header(header, BITS, KINDS)
    net_cfg = header['net']
    with _decodable(path, passing=(ValueError,)):
        check_types(net_cfg, path)
    with _decodable(path):
        signal = Signal(None, header['shape'], header['max'], header['fps'])
        net = build_within(net_cfg, path, size)
    if header['layout'] != _layout(net):
        raise ValueError(
            f'{path} was written by another version of {net_cfg["type"]}, which has other '
            'layers: decode it with the inrn_mm that wrote it.'
        )
    with _decodable(path):
        net = build_net(net_cfg, path)
        net.load_state_dict(_decode_state(net, header, sections), strict=False)
    return CompactFit(net.eval(), net_cfg, signal, header['bits'], size)


@contextlib.contextmanager
def _decodable(path: str | Path, passing: tuple[type[BaseException], ...] = ()) -> Iterator[None]:
    """Make one sentence of whatever a changed file makes libraries raise."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MemoryError, ImportError):
        raise
    except passing:
        raise
    except BaseException as error:  # a panic in constriction's Rust is no Exception
        reason = (str(error).splitlines() or [''])[0]
        raise ValueError(
            f'{path} cannot be decoded by this inrn_mm ({type(error).__name__}: {reason}): get it '
            'again, or decode it with the inrn_mm that wrote it.'
        ) from error


def plain_config(net_cfg: dict) -> dict:
    """Copy a config with plain containers, as JSON has them.

    Args:
        net_cfg (dict): Config of a :class:`FittingNet`; left as it is.

    Returns:
        dict: A copy with lists in place of tuples.

    Raises:
        ValueError: If a value is of another kind, or a type is not one that
            files may have.
    """
    try:
        plain = json.loads(json.dumps(net_cfg))
    except (TypeError, ValueError) as error:
        raise ValueError(
            "The network's config has a value that a compact file cannot "
            f'hold ({error}): use numbers, texts, lists and dicts.'
        ) from None
    check_types(plain, 'The config')
    return plain


def _choose_kinds(net: nn.Module, state: dict[str, Tensor], bits: int) -> str:
    """Choose a letter for each tensor: how it is stored."""
    trained = dict(net.named_parameters())
    total = sum(value.numel() for value in state.values())
    kinds = ''
    for name, value in state.items():
        if not value.is_floating_point():
            kinds += INTEGER
        elif bits == 32 or (name not in trained and value.dim() < 3):
            kinds += FLOAT  # a constant, such as random frequencies
        elif bits == 16 or value.dim() < 2 or value.numel() < SMALL * total:
            kinds += HALF
        else:
            kinds += QUANTISED
    return kinds


def _layout(net: FittingNet) -> int:
    """Fingerprint names, shapes and meaning: the file itself has none."""
    layout = [(name, tuple(value.shape)) for name, value in net.decoder_state().items()]
    version = [] if net._version == 1 else [net._version]
    return zlib.crc32(repr(layout + version).encode())


def _decode_state(net: FittingNet, header: dict, sections: list[bytes]) -> dict[str, Tensor]:
    """Decode the weights for a network with the file's layout."""
    state = net.decoder_state()
    raw, peaks, descriptions, code = sections
    bits, kinds = header['bits'], header['kinds']
    if len(kinds) != len(state):
        raise IndexError('the header does not have a kind for each tensor')
    counts = [value.numel() for kind, value in zip(kinds, state.values()) if kind == QUANTISED]
    codes = iter(entropy.decode(descriptions, code, counts, largest_code(bits)) if counts else [])
    decoded = {}
    for kind, (name, value) in zip(kinds, state.items()):
        if kind == QUANTISED:
            peak, peaks = _take(peaks, '<f2', num_steps(value.shape, header['rows']))
            decoded[name] = dequantize(
                torch.from_numpy(next(codes)).reshape(value.shape), peak, bits
            )
        else:
            flat, raw = _take(raw, RAW[kind], value.numel())
            decoded[name] = flat.to(value.dtype).reshape(value.shape)
    if not all(torch.isfinite(value).all() for value in decoded.values()):
        raise ArithmeticError('weights that are NaN or infinite')
    return decoded


def _take(data: bytes, dtype: str, count: int) -> tuple[Tensor, bytes]:
    """Split bytes into their first numbers and the rest."""
    size = np.dtype(dtype).itemsize * count
    if len(data) < size:
        raise IndexError('a section is too short')
    numbers = np.frombuffer(data[:size], dtype)
    native = numbers.astype(numbers.dtype.newbyteorder('='))
    return torch.from_numpy(native), data[size:]
