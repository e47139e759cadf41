"""What a config does with the parts of its data sets."""

from collections.abc import Iterator
from dataclasses import dataclass

from mmengine.dataset import BaseDataset

from ...utils.config_types import student_config, type_name

# transforms that leave out boxes without an area
FILTERS = ('FilterAnnotations', 'RandomCrop', 'CachedMosaic', 'Mosaic', 'MinIoURandomCrop')


@dataclass(frozen=True)
class Usage:
    """What of the annotations is read.

    Args:
        masks (bool): The pipeline loads the masks. Defaults to False.
        bitmaps (bool): They are made bitmaps of. Defaults to False.
        segm (bool): Masks are evaluated. Defaults to False.
        boxes_filtered (bool): The pipeline leaves out boxes that are too
            small. Defaults to False.
        roi (bool): The network takes boxes for proposals, and the loss of its
            RoI head is NaN for one without an area. Defaults to False.
    """

    masks: bool = False
    bitmaps: bool = False
    segm: bool = False
    boxes_filtered: bool = False
    roi: bool = False


def leaf_configs(dataset: dict | None, name: str) -> Iterator[tuple[str, dict]]:
    """Find the dataset configs inside of wrappers such as ``RepeatDataset``.

    Args:
        dataset (dict, optional): A dataloader's ``dataset``.
        name (str): How it is called with ``--cfg-options``.

    Yields:
        tuple[str, dict]: The name of each, and its config.
    """
    if not isinstance(dataset, dict):
        return
    if isinstance(dataset.get('dataset'), dict):
        yield from leaf_configs(dataset['dataset'], f'{name}.dataset')
    elif isinstance(dataset.get('datasets'), (list, tuple)):
        for i, inner in enumerate(dataset['datasets']):
            yield from leaf_configs(inner, f'{name}.datasets.{i}')
    else:
        yield name, dataset


def leaf_datasets(dataset: object) -> Iterator[BaseDataset]:
    """Find the mm datasets inside of wrappers; others cannot be looked into.

    Args:
        dataset (object): A dataset, built.

    Yields:
        BaseDataset: Each of them.
    """
    if isinstance(dataset, BaseDataset):
        yield dataset
        return
    inner = getattr(dataset, 'datasets', None)
    if inner is None:
        inner = [getattr(dataset, 'dataset', None)]
    for each in inner:
        if each is not None:
            yield from leaf_datasets(each)


def metric_configs(evaluator: object) -> list[dict]:
    """List the metrics of a config's evaluator.

    Args:
        evaluator (object): One metric, a list of them, an ``Evaluator`` with
            ``metrics``, or None.

    Returns:
        list[dict]: The metrics.
    """
    if isinstance(evaluator, dict) and 'metrics' in evaluator:
        evaluator = evaluator['metrics']
    metrics = evaluator if isinstance(evaluator, (list, tuple)) else [evaluator]
    return [metric for metric in metrics if isinstance(metric, dict)]


def loader_usage(cfg, kind: str) -> Usage:
    """Tell what is read of the sets of a dataloader.

    Args:
        cfg (Config): A whole config.
        kind (str): 'train', 'val' or 'test'. What is trained on is not
            evaluated, and the other way round.

    Returns:
        Usage: By the pipelines, the metrics and the network.
    """
    steps = list(_dicts((cfg.get(f'{kind}_dataloader') or {}).get('dataset')))
    # panoptic sets have their masks in pictures
    loaders = [
        step
        for step in steps
        if step.get('with_mask') and type_name(step) != 'LoadPanopticAnnotations'
    ]
    train = kind == 'train'
    model = student_config(cfg.get('model'))
    return Usage(
        masks=bool(loaders),
        bitmaps=any(step.get('poly2mask', True) for step in loaders),
        segm=not train and 'segm' in asked_metrics(cfg.get(f'{kind}_evaluator')),
        boxes_filtered=any(type_name(step) in FILTERS for step in steps),
        roi=train and any(part.get('add_gt_as_proposals') for part in _dicts(model)),
    )


def predicts_masks(cfg) -> bool:
    """Tell whether a config's network gives masks with its boxes.

    Args:
        cfg (Config): A whole config.

    Returns:
        bool: By its heads, or by what the test measures.
    """
    parts = list(_dicts(student_config(cfg.get('model'))))
    heads = any('mask_head' in key or 'panoptic' in key for part in parts for key in part)
    return heads or 'segm' in asked_metrics(cfg.get('test_evaluator'))


def asked_metrics(evaluator: object) -> set[str]:
    """List what the metrics of a config's evaluator measure.

    Args:
        evaluator (object): See :func:`metric_configs`.

    Returns:
        set[str]: Such as 'bbox' and 'segm'.
    """
    asked = set()
    for metric in metric_configs(evaluator):
        kinds = metric.get('metric') or []
        asked |= {kinds} if isinstance(kinds, str) else set(kinds)
    return asked


def _dicts(config: object) -> Iterator[dict]:
    """Yield all dicts in a config, at every depth."""
    if isinstance(config, dict):
        yield config
        config = list(config.values())
    if isinstance(config, (list, tuple)):
        for each in config:
            yield from _dicts(each)
