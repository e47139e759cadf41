"""Writing exported networks into ONNX files."""

import contextlib
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from ..utils.whole_file import whole_file
from .networks import ExportedClassifier, ExportedNetwork

# the key of our description in the file's metadata
KEY = 'inrn_mm'
OPSET = 18
# sides are multiples of the coarsest stride, and of what mmdet pads to
DIVISOR = 32


def write_onnx(
    network: ExportedNetwork,
    path: str | Path,
    size: Sequence[int],
    description: dict,
    any_size: bool = False,
    batch: int = 1,
) -> None:
    """Trace a network and write it, with what a program needs to know of it.

    Args:
        network (ExportedNetwork): In evaluation mode, on the CPU.
        path (str | Path): The file.
        size (Sequence[int]): Height and width of the images; an example if
            ``any_size``.
        description (dict): A dict of plain values; kept as JSON in the metadata
            ``inrn_mm``.
        any_size (bool): Whether height and width may be any multiples of 32.
            Defaults to False.
        batch (int): Number of images. Defaults to 1.

    Raises:
        ImportError: If ``onnxscript`` is not installed.
        ValueError: If the network cannot be traced.
    """
    images = torch.zeros(batch, *size, 3, dtype=torch.uint8)
    inputs = {'images': images, 'shape': torch.tensor(size)}
    if isinstance(network, ExportedClassifier):
        del inputs['shape']
    try:
        with torch.no_grad(), _quiet():
            model = _trace(network, inputs, any_size)
    except ImportError as error:
        raise ImportError(
            "The export needs onnx and onnxscript: pip install 'inrn-mm[deploy]'."
        ) from error
    except Exception as error:  # of many kinds
        reason = str(error).strip().splitlines()[0]
        raise ValueError(
            f'The network cannot be traced by torch {torch.__version__} '
            f'({type(error).__name__}: {reason}).'
        ) from error
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(description)
    with whole_file(path) as file:
        file.write_bytes(model.SerializeToString())


def _trace(network: ExportedNetwork, inputs: dict[str, torch.Tensor], any_size: bool) -> Any:
    """Make an ``onnx.ModelProto``."""
    from .onnx_operators import OPERATORS

    shapes: dict | None = None
    if any_size:
        height, width = (DIVISOR * torch.export.Dim(f'{name}_32') for name in ('height', 'width'))
        shapes = dict.fromkeys(inputs) | {'images': {1: height, 2: width}}
    traced = torch.export.export(network, (), inputs, dynamic_shapes=shapes, strict=False)
    program = torch.onnx.export(
        traced,
        kwargs=inputs,
        dynamo=True,
        custom_translation_table=OPERATORS,
        input_names=list(inputs),
        output_names=list(network.outputs),
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None
    return program.model_proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the exporter's remarks on itself."""
    logger = logging.getLogger('torch.onnx')
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        try:
            yield
        finally:
            logger.setLevel(level)
