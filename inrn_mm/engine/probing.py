"""A validation of features by a small labelled folder."""

import os.path as osp

from mmengine.config import Config, ConfigDict

SIZE = 224


def add_probe(cfg: Config) -> None:
    """Validate by the folder that ``probe`` names, and keep the best checkpoint.

    Nearest neighbours and a linear layer are asked for the classes of half of
    its images, see :class:`~inrn_mm.evaluation.ProbeMetric`.

    Args:
        cfg (Config): Changed in place. ``probe`` is a folder with one folder
            of images for each class, or ``dict(data_root=..., size=224)``
            with the side of the centre crops; None does nothing.

    Raises:
        ValueError: If it is neither.
        FileNotFoundError: If there is no such folder.
    """
    probe = cfg.get('probe')
    if probe is None:
        return
    probe = dict(data_root=probe) if isinstance(probe, str) else probe
    if not isinstance(probe, dict) or not set(probe) <= {'data_root', 'size'}:
        raise ValueError(
            f'probe is {probe!r}: give a folder with a folder of images for each class, or '
            f'dict(data_root=..., size={SIZE}).'
        )
    folder, size = probe.get('data_root', ''), probe.get('size', SIZE)
    if not osp.isdir(folder):
        raise FileNotFoundError(
            f'The folder {folder} of probe does not exist: name one with a folder of images for '
            'each class, or leave probe out.'
        )
    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='ResizeEdge', scale=round(size * 8 / 7), edge='short'),
        dict(type='CenterCrop', crop_size=size),
        dict(type='PackInputs'),
    ]
    cfg.val_dataloader = ConfigDict(
        batch_size=64,
        num_workers=cfg.train_dataloader.get('num_workers', 0),
        sampler=dict(type='DefaultSampler', shuffle=False),
        dataset=dict(type='mmpretrain.CustomDataset', data_root=folder, pipeline=steps),
    )
    cfg.val_evaluator = ConfigDict(type='ProbeMetric')
    cfg.val_cfg = ConfigDict()
    for name in ('dataloader', 'evaluator', 'cfg'):
        cfg[f'test_{name}'] = cfg[f'val_{name}']
    cfg.default_hooks.checkpoint.update(save_best='probe/knn', rule='greater')
