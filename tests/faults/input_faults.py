"""Damaged configs and compact files."""

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import torch
from mmengine.registry import MODELS

from inrn_mm.engine.run_config import load_config
from inrn_mm.fitting.codec import container, read_fit, write_fit
from inrn_mm.fitting.signal import Signal

from .injection import Fault, damaged

CONFIG = """\
model = dict(type='INRN', arch='m', drop_path_rate=0.1)
train_dataloader = dict(batch_size=2, num_workers=0)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.02))
default_hooks = dict(checkpoint=dict(type='CheckpointHook', interval=1))
custom_hooks = [dict(type='EMAHook')]
train_cfg = dict(by_epoch=True, max_epochs=12)
"""
ODD = [None, 5, -1, 'x', '', [], {}, [1, 'a'], float('nan'), True, 10**30, dict(type='os.system')]


def configs(count: int, rng: random.Random, folder: Path) -> Iterator[Fault]:
    """Config files with mistakes, and options that do not fit them."""
    keys = ['model', 'model.type', 'train_dataloader', 'optim_wrapper', 'custom_hooks']
    keys += ['custom_hooks.0', 'default_hooks', 'default_hooks.checkpoint', 'train_cfg.x.y', 'new']
    path = folder / 'my.py'
    for i in range(count):

        def load(text: bytes, options: dict) -> bool:
            path.write_bytes(text)
            args = dict(work_dir=None, launcher='none', allow_pickle=True)
            return bool(load_config(SimpleNamespace(config=str(path), cfg_options=options, **args)))

        text = CONFIG.encode()
        if i % 2:
            option = {rng.choice(keys): rng.choice(ODD)}
            yield 'options that do not fit', lambda option=option: load(CONFIG.encode(), option)
        else:
            text = damaged(text, rng)[1]
            yield 'a damaged config file', lambda text=text: load(text, {})


def compact(count: int, rng: random.Random, folder: Path) -> Iterator[Fault]:
    """Damage below right checksums, and headers that ask for anything."""
    shape = (1, 16, 20, 3)
    cfg = dict(type='SIREN', shape=shape, width=24, num_layers=2)
    net = MODELS.build(cfg)
    path = folder / 'fit.inrn'
    write_fit(path, net, cfg, Signal(None, shape))
    header, sections = container.read(path)
    for i in range(count):

        def read(header: dict, sections: list[bytes]) -> bool:
            path.write_bytes(container.pack(header, sections))
            fit = read_fit(path)
            return all(torch.isfinite(value).all() for value in fit.net.parameters())

        if i % 2:
            other = copy.deepcopy(header)
            place = other if rng.random() < 0.5 else other['net']
            place[rng.choice([*place, '_scope_', 'new'])] = rng.choice(ODD)
            yield 'a header changed', lambda other=other: read(other, sections)
        else:
            parts = list(sections)
            chosen = rng.choice([n for n, part in enumerate(parts) if part])
            parts[chosen] = damaged(parts[chosen], rng)[1]
            yield 'a section damaged', lambda parts=parts: read(header, parts)
