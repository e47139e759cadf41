"""Why nothing is left of a data set."""

import os.path as osp

from ...utils.config_types import type_name
from .classes import few
from .coco_file import read_json
from .usage import leaf_configs


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
        dataset = (cfg.get(loader) or {}).get('dataset')
        for name, leaf in leaf_configs(dataset, f'{loader}.dataset'):
            lines.append(_describe(leaf, name))
    return (
        'No image of a dataset is left, annotated with one of its '
        'classes, after its filter_cfg: '
        + ('. '.join(filter(None, lines)) or 'check its annotations')
        + '.'
    )


def _describe(dataset: dict, name: str) -> str:
    """Say what a set's file has in it, if it is a COCO-style one."""
    path = osp.join(dataset.get('data_root') or '', dataset.get('ann_file') or '')
    if not path.endswith('.json') or not osp.isfile(path):
        return ''
    content = read_json(path)
    names = [c['name'] for c in content.get('categories', [])]
    metainfo = dataset.get('metainfo') or {}
    return (
        f'{path} has {len(content.get("images", []))} images, '
        f'{len(content.get("annotations", []))} annotations and '
        f'the categories {few(names)}; {name}.metainfo.classes='
        f'{metainfo.get("classes", f"those of {type_name(dataset)}")}'
    )
