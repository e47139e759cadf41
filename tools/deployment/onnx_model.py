"""An exported file as a function of images; numpy, OpenCV and onnxruntime are enough.

To be copied into a program of one's own:

    model = OnnxModel('student.onnx')
    found = model(cv2.imread('street.jpg'))
    for box, score, label in zip(found['boxes'], found['scores'], found['labels']):
        print(model.classes[label], score, box)
"""

import importlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

INTERPOLATIONS = {'bilinear': cv2.INTER_LINEAR, 'bicubic': cv2.INTER_CUBIC}
INTERPOLATIONS |= {'nearest': cv2.INTER_NEAREST, 'area': cv2.INTER_AREA}
MOST_PIXELS = 200_000_000


class OnnxModel:
    """A file that ``tools/deployment/export.py`` wrote.

    Args:
        path (str | Path): The file.
        threads (int): Threads of the CPU; 0 for all. Defaults to 0.
        backend (str): ``'onnxruntime'`` or ``'openvino'``.
            Defaults to ``'onnxruntime'``.
        device (str): ``'cpu'`` or ``'cuda'``; of OpenVINO ``'cpu'`` or ``'gpu'``.
            Defaults to ``'cpu'``.

    Attributes:
        task (str): ``'detection'``, ``'instances'`` or ``'classification'``.
        classes (list[str]): Names of the classes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is damaged, or not ours.
    """

    def __init__(
        self, path: str | Path, threads: int = 0, backend: str = 'onnxruntime', device: str = 'cpu'
    ) -> None:
        if not Path(path).is_file():
            raise FileNotFoundError(f'There is no file {path}: export one, see export.py --help.')
        start = _start_onnxruntime if backend == 'onnxruntime' else _start_openvino
        self.run, text, sides = start(Path(path), threads, device)
        if text is None:
            raise ValueError(
                f'{path} is no file of tools/deployment/export.py: it does not say how images '
                'are prepared.'
            )
        self.meta: dict = json.loads(text)
        self.any_size = not all(isinstance(side, int) for side in sides)
        self.task: str = self.meta['task']
        self.classes: list[str] = self.meta['classes']

    def __call__(self, image: np.ndarray) -> dict[str, np.ndarray]:
        """Predict.

        Args:
            image (np.ndarray): ``(H, W, 3)``, uint8, BGR as OpenCV reads it.

        Returns:
            dict[str, np.ndarray]: ``boxes`` ``(K, 4)`` of x1, y1, x2, y2 in pixels of
            the image, ``scores`` and ``labels`` ``(K, )`` and, of a file with masks,
            ``masks`` ``(K, H, W)`` of booleans; of a classifier ``scores``
            ``(C, )`` of all classes.

        Raises:
            ValueError: If it is no such image.
        """
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
            raise ValueError(
                f'An image must be (height, width, 3) of uint8, got {image.shape} of '
                f'{image.dtype}: cv2.imread(path) reads such.'
            )
        canvas, shape, scale = self.prepare(image)
        if self.task == 'classification':
            return dict(scores=self.run(dict(images=canvas[None]))[0][0])
        out = self.run(dict(images=canvas[None], shape=np.asarray(shape, np.int64)))
        keep = out[1][0] > 0
        boxes, scores, labels = (x[0][keep] for x in out[:3])
        found = dict(boxes=boxes / np.tile(scale, 2).astype(np.float32), scores=scores)
        found['labels'] = labels
        if self.task == 'instances':
            size = image.shape[:2]
            threshold = self.meta['mask_threshold']
            found['masks'] = np.zeros((len(boxes), *size), bool)
            for i, (mask, box) in enumerate(zip(out[3][0][keep], found['boxes'])):
                found['masks'][i] = paste(mask, box, size) >= threshold
        return found

    def prepare(self, image: np.ndarray) -> tuple[np.ndarray, tuple, np.ndarray]:
        """Resize, crop and pad as the test pipeline of the config does.

        Args:
            image (np.ndarray): ``(H, W, 3)``.

        Returns:
            tuple: The input ``(H', W', 3)``, height and width of the image in
            it, and the factors ``(2, )`` by which width and height were multiplied.
        """
        height, width = image.shape[:2]
        steps = self.meta
        if 'resize' in steps:
            size = self._target(width, height)
            image = _resize(image, size, steps['resize'])
        scale = np.array([image.shape[1] / width, image.shape[0] / height])
        if 'crop' in steps:
            image = _crop(image, *steps['crop'])
        shape = image.shape[:2]
        pad = steps.get('pad')
        if pad is None:
            return np.ascontiguousarray(image), shape, scale
        height, width = pad['size']
        if self.any_size and not pad['counts']:
            height, width = (-(-side // 32) * 32 for side in shape)
        canvas = np.empty((height, width, 3), np.uint8)
        canvas[:] = pad['value']
        canvas[: shape[0], : shape[1]] = image
        return canvas, (height, width) if pad['counts'] else shape, scale

    def _target(self, width: int, height: int) -> tuple[int, int]:
        """Find the width and height that the config resizes to."""
        resize = self.meta['resize']
        first, second = resize['size']
        if resize.get('edge') == 'short':
            return (
                (first, int(first * height / width))
                if width < height
                else (int(first * width / height), first)
            )
        if not resize['keep_ratio']:
            return first, second
        long, short = max(first, second), min(first, second)
        factor = min(long / max(height, width), short / min(height, width))
        if 'pad' in self.meta and not (self.any_size and not self.meta['pad']['counts']):
            high, wide = self.meta['pad']['size']
            factor = min(factor, high / height, wide / width)
        return max(int(width * factor + 0.5), 1), max(int(height * factor + 0.5), 1)


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f'{name} is not installed: pip install {name}.') from error


def _start_onnxruntime(path: Path, threads: int, device: str) -> tuple:
    onnxruntime = _package('onnxruntime')

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    providers = ['CUDAExecutionProvider'] * (device == 'cuda') + ['CPUExecutionProvider']
    if device == 'cuda' and providers[0] not in onnxruntime.get_available_providers():
        raise ValueError('onnxruntime has no CUDA here: pip install onnxruntime-gpu, or use cpu.')
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # of many kinds, one for each fault
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f'{path} cannot be read by onnxruntime: {reason}') from error
    text = session.get_modelmeta().custom_metadata_map.get('inrn_mm')
    return lambda inputs: session.run(None, inputs), text, session.get_inputs()[0].shape[1:3]


def _start_openvino(path: Path, threads: int, device: str) -> tuple:
    openvino = _package('openvino')

    core = openvino.Core()
    try:
        model = core.read_model(path)
        # some processors would compute in bfloat16
        settings: dict = {'INFERENCE_PRECISION_HINT': 'f32'}
        settings |= {'INFERENCE_NUM_THREADS': threads} if threads else {}
        compiled = core.compile_model(model, device.upper(), settings)
    except Exception as error:  # of many kinds, one for each fault
        reason = str(error).strip().splitlines()[-1]
        raise ValueError(f'{path} cannot be read by OpenVINO: {reason}') from error
    text = None
    if model.has_rt_info(['framework', 'inrn_mm']):
        text = str(model.get_rt_info(['framework', 'inrn_mm']).astype(str))
    sides = [side.get_length() if side.is_static else None for side in model.input(0).partial_shape]

    def run(inputs: dict) -> list[np.ndarray]:
        found = compiled(inputs)
        return [found[output] for output in compiled.outputs]

    return run, text, sides[1:3]


def read_image(path: str | Path) -> np.ndarray:
    """Read an image file, gray or with an alpha channel as BGR.

    Args:
        path (str | Path): The file.

    Returns:
        np.ndarray: ``(H, W, 3)``, uint8.

    Raises:
        ValueError: If it is no image, or too large a one.
    """
    data = np.fromfile(path, np.uint8)
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except cv2.error as error:
        raise ValueError(f'{path} cannot be read: OpenCV takes up to 2^30 pixels.') from error
    if image is None:
        raise ValueError(f'{path} is no image that OpenCV reads, or is damaged.')
    if image.shape[0] * image.shape[1] > MOST_PIXELS:
        raise ValueError(
            f'{path} has {image.shape[0]} x {image.shape[1]} pixels: cut it into parts of at '
            f'most {MOST_PIXELS:,}.'
        )
    return image


def _resize(image: np.ndarray, size: tuple[int, int], look: dict) -> np.ndarray:
    if look['backend'] == 'pillow':
        from PIL import Image

        how = getattr(Image.Resampling, look['interpolation'].upper())
        return np.array(Image.fromarray(image).resize(size, how))
    return cv2.resize(image, size, interpolation=INTERPOLATIONS[look['interpolation']])


def _crop(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Cut from the centre, or the whole of a smaller side."""
    top = max(int(round((image.shape[0] - height) / 2.0)), 0)
    left = max(int(round((image.shape[1] - width) / 2.0)), 0)
    return image[top : top + height, left : left + width]


def paste(mask: np.ndarray, box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Lay a mask over the image, bilinear between its cells.

    Args:
        mask (np.ndarray): ``(h, w)`` of shares within the box.
        box (np.ndarray): ``(4, )`` in pixels of the image.
        size (tuple[int, int]): Height and width of the image.

    Returns:
        np.ndarray: ``(H, W)``, 0 outside of the box.
    """
    rows = _weights(size[0], mask.shape[0], box[1], box[3])
    columns = _weights(size[1], mask.shape[1], box[0], box[2])
    return rows @ mask.astype(np.float32) @ columns.T


def _weights(pixels: int, cells: int, start: float, end: float) -> np.ndarray:
    """Compute the weight of each cell in each pixel, ``(pixels, cells)``."""
    middle = (np.arange(pixels, dtype=np.float32) + 0.5 - start) / max(end - start, 1e-6)
    places = middle * cells - 0.5
    return np.maximum(1 - np.abs(places[:, None] - np.arange(cells, dtype=np.float32)), 0)
