"""Whether data roots, annotation files and folders of images exist."""

import os.path as osp
from collections.abc import Iterator

from ...utils.config_types import type_name
from .usage import leaf_configs, metric_configs

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
        for sentence in missing_paths(cfg, loader):
            raise FileNotFoundError(sentence)


def missing_paths(cfg, loader: str) -> Iterator[str]:
    """Look for the files that a dataloader and its evaluator name.

    Args:
        cfg (Config): The config.
        loader (str): Such as ``'train_dataloader'``.

    Yields:
        str: A sentence for each that is missing.
    """
    for name, dataset in leaf_configs((cfg.get(loader) or {}).get('dataset'), f'{loader}.dataset'):
        sentence = _missing_path(dataset, name)
        if sentence:
            yield sentence
    name = loader.replace('dataloader', 'evaluator')
    for metric in metric_configs(cfg.get(name)):
        path = metric.get('ann_file') or ''
        if path and '://' not in path and not metric.get('backend_args') and not osp.isfile(path):
            yield (
                f'The annotation file {path} of {name} does not exist '
                f'(looked for {osp.abspath(path)}): set --cfg-options '
                f'{name}.ann_file=... to that of the {loader}.'
            )


def _missing_path(dataset: dict, name: str) -> str | None:
    if type_name(dataset) == 'ImageFolders':
        return _missing_images(dataset, name)
    ann_file = dataset.get('ann_file') or ''
    root = dataset.get('data_root') or ''
    if '://' in root + ann_file or dataset.get('backend_args'):
        return None
    if not ann_file:
        return _missing_folder(dataset, name)
    if root and not osp.isabs(ann_file) and not osp.isdir(root):
        return (
            f'The data root {root} does not exist (looked for '
            f'{osp.abspath(root)}): put the data set or a link there, '
            'or name another folder with --cfg-options '
            f'{name}.data_root=... (for our COCO configs the '
            'environment variable INRN_COCO_ROOT sets all of them).'
        )
    path = osp.join(root, ann_file)
    if not osp.isfile(path):
        return (
            f'The annotation file {path} does not exist (looked for '
            f'{osp.abspath(path)}): set --cfg-options '
            f'{name}.ann_file=... or {name}.data_root=...'
        )
    return None


def _missing_folder(dataset: dict, name: str) -> str | None:
    """Look for the folder of a data set that lists its images by itself."""
    if type_name(dataset) not in FOLDERS:
        return None
    prefix = dataset.get('data_prefix') or dataset.get('split') or ''
    if isinstance(prefix, dict):
        prefix = prefix.get('img_path', '')
    path = osp.join(dataset.get('data_root') or '', prefix)
    if osp.isdir(path):
        return None
    return (
        f'The folder of images {path} does not exist (looked for '
        f'{osp.abspath(path)}): put the data set or a link there, or name '
        f'another one with --cfg-options {name}.data_root=... (for our '
        'ImageNet configs the environment variable INRN_IMAGENET_ROOT '
        'sets all of them).'
    )


def _missing_images(dataset: dict, name: str) -> str | None:
    """Look for the folders of images without labels."""
    folders = dataset.get('data_root') or ''
    for folder in [folders] if isinstance(folders, str) else folders:
        if not osp.isdir(folder):
            return (
                f'The folder of images {folder} does not exist (looked for '
                f'{osp.abspath(folder)}): name one, or several, by --cfg-options '
                f'{name}.data_root=... (for our pretraining configs the environment variable '
                'INRN_IMAGES_ROOT sets it).'
            )
    return None
