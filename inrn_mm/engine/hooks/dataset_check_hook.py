"""Say before a training starts what is wrong with its data."""

import json
import os.path as osp
from collections.abc import Iterator, Sequence

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from ...utils.config_types import type_name

SAMPLES = 16  # images looked for on disk
# heads that have other classes than the dataset's things
OTHER_CLASSES = ('rpn', 'semantic', 'panoptic')
# data sets that may be just folders of images, one for each class
FOLDERS = ('ImageNet', 'CustomDataset')


def check_data_paths(cfg, loaders: list[str]) -> None:
    """See that data roots, annotation files and folders of images exist.

    Args:
        cfg (Config): The config about to be run.
        loaders (list[str]): Its dataloaders to look at, e.g.
            ``['train_dataloader']``, and the evaluators that go with them.

    Raises:
        FileNotFoundError: Naming the path and how to set another.
    """
    for loader in loaders:
        key = f'{loader}.dataset'
        for name, dataset in _leaf_configs((cfg.get(loader) or {}).get('dataset'), key):
            ann_file = dataset.get('ann_file') or ''
            root = dataset.get('data_root') or ''
            if '://' in root + ann_file or dataset.get('backend_args'):
                continue
            if not ann_file:
                _check_folder(dataset, name)
                continue
            if root and not osp.isabs(ann_file) and not osp.isdir(root):
                raise FileNotFoundError(
                    f'The data root {root} does not exist (looked for '
                    f'{osp.abspath(root)}): put the data set or a link there, '
                    'or name another folder with --cfg-options '
                    f'{name}.data_root=... (for our COCO configs the '
                    'environment variable INRN_COCO_ROOT sets all of them).'
                )
            path = osp.join(root, ann_file)
            if not osp.isfile(path):
                raise FileNotFoundError(
                    f'The annotation file {path} does not exist (looked for '
                    f'{osp.abspath(path)}): set --cfg-options '
                    f'{name}.ann_file=... or {name}.data_root=...'
                )
        name = loader.replace('dataloader', 'evaluator')
        metrics = cfg.get(name) or []
        for metric in [metrics] if isinstance(metrics, dict) else metrics:
            path = metric.get('ann_file') or ''
            if (
                path
                and '://' not in path
                and not metric.get('backend_args')
                and not osp.isfile(path)
            ):
                raise FileNotFoundError(
                    f'The annotation file {path} of {name} does not exist '
                    f'(looked for {osp.abspath(path)}): set --cfg-options '
                    f'{name}.ann_file=... to that of the {loader}.'
                )


def _check_folder(dataset: dict, name: str) -> None:
    """Of a data set that lists the images in a folder by itself."""
    if type_name(dataset) not in FOLDERS:
        return
    prefix = dataset.get('data_prefix') or dataset.get('split') or ''
    if isinstance(prefix, dict):
        prefix = prefix.get('img_path', '')
    path = osp.join(dataset.get('data_root') or '', prefix)
    if not osp.isdir(path):
        raise FileNotFoundError(
            f'The folder of images {path} does not exist (looked for '
            f'{osp.abspath(path)}): put the data set or a link there, or name '
            f'another one with --cfg-options {name}.data_root=... (for our '
            'ImageNet configs the environment variable INRN_IMAGENET_ROOT '
            'sets all of them).'
        )


def explain_empty(cfg, loaders: list[str]) -> str:
    """Say why nothing is left of a dataset; reads the annotation files.

    mmengine cannot build an empty dataset and fails with numpy's words.

    Args:
        cfg (Config): The config that was run.
        loaders (list[str]): Its dataloaders to look at.

    Returns:
        str: A sentence for the user.
    """
    lines = []
    for loader in loaders:
        for name, dataset in _leaf_configs(
            (cfg.get(loader) or {}).get('dataset'), f'{loader}.dataset'
        ):
            path = osp.join(dataset.get('data_root') or '', dataset.get('ann_file') or '')
            if path.endswith('.json') and osp.isfile(path):
                with open(path) as file:
                    content = json.load(file)
                names = [c['name'] for c in content.get('categories', [])]
                lines.append(
                    f'{path} has {len(content.get("images", []))} images, '
                    f'{len(content.get("annotations", []))} annotations and '
                    f'the categories {_few(names)}; '
                    f'{name}.metainfo.classes={_classes(dataset)}'
                )
    return (
        'No image of a dataset is left, annotated with one of its '
        'classes, after its filter_cfg: ' + ('. '.join(lines) or 'check its annotations') + '.'
    )


def _classes(dataset: dict) -> object:
    metainfo = dataset.get('metainfo') or {}
    return metainfo.get('classes', f'those of {dataset.get("type")}')


def _leaf_configs(dataset: dict | None, name: str) -> Iterator[tuple[str, dict]]:
    """The dataset configs inside wrappers such as RepeatDataset."""
    if not isinstance(dataset, dict):
        return
    if 'dataset' in dataset:
        yield from _leaf_configs(dataset['dataset'], f'{name}.dataset')
    elif 'datasets' in dataset:
        for i, inner in enumerate(dataset['datasets']):
            yield from _leaf_configs(inner, f'{name}.datasets.{i}')
    else:
        yield name, dataset


@HOOKS.register_module()
class DatasetCheckHook(Hook):
    """Check the built datasets against their images and the model's heads.

    Raises:
        FileNotFoundError: If images named by the annotations do not exist.
        ValueError: If a dataset lacks categories that its ``metainfo`` names,
            or has another number of classes than a head.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner) -> None:
        """Check every dataset that this run has built."""
        for kind in ('train', 'val', 'test'):
            loader = getattr(getattr(runner, f'_{kind}_loop'), 'dataloader', None)
            if loader is None:
                continue
            for dataset in _leaves(loader.dataset):
                self._check_categories(kind, dataset)
                self._check_images(kind, dataset)
            self._check_heads(kind, loader.dataset, runner.model)

    @staticmethod
    def _check_categories(kind: str, dataset: BaseDataset) -> None:
        classes = dataset.metainfo.get('classes')
        if isinstance(classes, str):
            raise ValueError(
                f'metainfo.classes of the {kind} dataset is the string '
                f"'{classes}': write a tuple, classes=('{classes}', )."
            )
        # COCO-format datasets look their classes up in the annotations and
        # keep those found, silently
        found = getattr(dataset, 'cat_ids', None)
        if found is not None and classes is not None and len(found) != len(classes):
            raise ValueError(
                f'Only {len(found)} of the {len(classes)} categories in '
                f'metainfo.classes of the {kind} dataset are in '
                f'{dataset.ann_file} (looked for {_few(classes)}): set '
                f'{kind}_dataloader.dataset.metainfo.classes to the names in '
                'that file.'
            )

    @staticmethod
    def _check_images(kind: str, dataset: BaseDataset) -> None:
        picks = np.unique(np.linspace(0, len(dataset) - 1, SAMPLES).astype(int))
        infos = [dataset.get_data_info(int(i)) for i in picks]
        paths = [info['img_path'] for info in infos if '://' not in info.get('img_path', '://')]
        lost = [path for path in paths if not osp.isfile(path)]
        if lost:
            raise FileNotFoundError(
                f'{len(lost)} of {len(paths)} images looked for of the {kind} '
                f'dataset do not exist, the first is {lost[0]}: set '
                f'{kind}_dataloader.dataset.data_prefix.img=... to their '
                'folder, or get the images that belong to '
                f'{dataset.ann_file}.'
            )

    @staticmethod
    def _check_heads(kind: str, dataset, model) -> None:
        classes = dataset.metainfo.get('classes')
        if classes is None:
            return
        for name, module in model.named_modules():
            heads = getattr(module, 'num_classes', None)
            if (
                not isinstance(heads, int)
                or 'head' not in name
                or any(other in name for other in OTHER_CLASSES)
            ):
                continue
            if heads != len(classes):
                raise ValueError(
                    f'{name} has num_classes={heads}, but the {kind} dataset '
                    f'has {len(classes)} classes ({_few(classes)}): set '
                    'num_classes of the heads or metainfo.classes of the '
                    'datasets.'
                )


def _leaves(dataset) -> Iterator[BaseDataset]:
    """The mm datasets inside wrappers; others cannot be looked into."""
    if hasattr(dataset, 'datasets'):
        for inner in dataset.datasets:
            yield from _leaves(inner)
    elif isinstance(getattr(dataset, 'dataset', None), BaseDataset):
        yield from _leaves(dataset.dataset)
    elif isinstance(dataset, BaseDataset):
        yield dataset


def _few(names: Sequence[str]) -> str:
    return ', '.join(names[:3]) + (', ...' if len(names) > 3 else '')
