"""What a program has to know of an exported file, from the config."""

from collections.abc import Sequence

from mmengine.config import Config

from ..utils.config_types import type_name
from .networks import ExportedClassifier, ExportedNetwork

# what a file needs nothing of: labels, and the file that an image comes from
_PASSED = ('LoadAnnotations', 'PackDetInputs', 'PackInputs', 'LoadImageFromFile')
_PASSED += ('LoadImageFromNDArray', 'LoadImage')


def describe(
    cfg: Config, network: ExportedNetwork, classes: Sequence[str], size: Sequence[int] | None
) -> dict:
    """Describe an exported network and the steps before it.

    Args:
        cfg (Config): The config, with a test dataloader or ``test_pipeline``.
        network (ExportedNetwork): What is exported.
        classes (Sequence[str]): Their names.
        size (Sequence[int], optional): Height and width asked for. Defaults to
            None, the pipeline's.

    Returns:
        dict: ``task``, ``classes``, ``resize``, ``crop`` and ``pad``, see
        :func:`describe_steps`; ``mask_threshold``; and, to be read by people
        as the file does it itself, ``mean``, ``std`` and ``channels``.

    Raises:
        ValueError: If the pipeline has a step that is not known.
    """
    pixels = network.pixels
    found = dict(
        task=network.task,
        classes=list(classes),
        **describe_steps(test_pipeline(cfg), isinstance(network, ExportedClassifier), size),
        mean=pixels.mean.flatten().tolist(),
        std=pixels.std.flatten().tolist(),
        channels='RGB' if pixels.swap else 'BGR',
    )
    if 'masks' in network.outputs:
        found['mask_threshold'] = float(network.heads.settings.get('mask_thr_binary', 0.5))
    return found


def test_pipeline(cfg: Config) -> list[dict]:
    """Find the steps of the test.

    Args:
        cfg (Config): With a test dataloader or a ``test_pipeline``.

    Raises:
        ValueError: If there are none.
    """
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    while 'dataset' in dataset and 'pipeline' not in dataset:
        dataset = dataset['dataset']
    steps = dataset.get('pipeline') or cfg.get('test_pipeline')
    if not steps:
        raise ValueError(
            'The config has no test_dataloader.dataset.pipeline and no test_pipeline, which say '
            'how images are prepared.'
        )
    return list(steps)


def describe_steps(
    steps: Sequence[dict], classifies: bool, size: Sequence[int] | None = None
) -> dict:
    """Describe how images are prepared.

    Args:
        steps (Sequence[dict]): A test pipeline.
        classifies (bool): Whether it is a classifier's.
        size (Sequence[int], optional): Height and width in place of the
            pipeline's. Defaults to None.

    Returns:
        dict: ``resize``, with ``size`` (width, height), ``keep_ratio`` or
        ``edge`` (``'short'``), ``interpolation`` and ``backend``; ``crop``, height and
        width from the centre, if there is one; ``pad``, with ``size`` (height,
        width), ``value`` (BGR) and ``counts``, whether boxes may lie in it.

    Raises:
        ValueError: If one of the steps is not known, or none gives a size.
    """
    found: dict = {}
    for step in steps:
        kind = type_name(step)
        look = dict(
            interpolation=step.get('interpolation', 'bilinear'), backend=step.get('backend', 'cv2')
        )
        if kind == 'Resize' and step.get('scale') is not None:
            scale = step['scale']
            scale = (scale, scale) if isinstance(scale, int) else tuple(scale)
            ratio = bool(step.get('keep_ratio', False))
            found['resize'] = dict(size=list(scale), keep_ratio=ratio, **look)
        elif kind == 'ResizeEdge' and step.get('edge', 'short') == 'short':
            found['resize'] = dict(edge='short', size=[step['scale']] * 2, **look)
        elif kind == 'CenterCrop':
            crop = step['crop_size']
            found['crop'] = [crop, crop] if isinstance(crop, int) else list(crop)
        elif kind == 'Pad' and (step.get('size') or step.get('pad_to_square')):
            value = step.get('pad_val', 0)
            value = value.get('img', 0) if isinstance(value, dict) else value
            width, height = step.get('size') or found['resize']['size']
            found['pad'] = dict(
                size=[height, width],
                value=list(value) if isinstance(value, (tuple, list)) else [value] * 3,
                counts=True,
            )
        elif kind not in _PASSED:
            raise ValueError(
                f'The step {kind} of the test pipeline is not known to the export: Resize, '
                'ResizeEdge, CenterCrop and Pad to a size are.'
            )
    if classifies:
        return _for_classifier(found, size)
    return _for_detector(found, size)


def _for_classifier(found: dict, size: Sequence[int] | None) -> dict:
    if size:
        found['resize'] = dict(
            found.get('resize') or dict(interpolation='bilinear', backend='cv2'),
            size=[size[1], size[0]],
        )
        found['resize'].pop('edge', None)
        found.pop('crop', None)
    if 'resize' not in found and 'crop' not in found:
        raise ValueError('The test pipeline gives images no size: say --size HEIGHT WIDTH.')
    return found


def _for_detector(found: dict, size: Sequence[int] | None) -> dict:
    if 'resize' not in found and not size:
        raise ValueError('The test pipeline gives images no size: say --size HEIGHT WIDTH.')
    look = found.get('resize') or dict(keep_ratio=True, interpolation='bilinear', backend='cv2')
    if size:
        found['resize'] = dict(look, size=[size[1], size[0]])
    if 'pad' not in found or size:
        value = found.get('pad', dict(value=[0, 0, 0], counts=False))
        height, width = size or sorted(found['resize']['size'])
        found['pad'] = dict(value, size=[-(-x // 32) * 32 for x in (height, width)])
    return found
