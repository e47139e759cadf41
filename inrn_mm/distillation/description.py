"""What a distillation compares, as a table and as a config."""

import argparse

from mmengine.config import Config
from mmengine.registry import MODELS
from rich.console import Console
from rich.table import Table

from ..engine.run_config import load_config
from ..utils.config_types import init_scope, is_distiller
from .distiller import KnowledgeDistiller


def print_pairs(args: argparse.Namespace) -> None:
    """Print which layers a config's distillation compares, and train nothing.

    Args:
        args (Namespace): Those of ``tools/train.py``.

    Raises:
        ValueError: If the config has no distillation.
    """
    cfg = load_config(args)
    if not is_distiller(cfg.model):
        raise ValueError(
            f'{args.config} distils nothing: give --teacher and --method, or a distilled config.'
        )
    distiller = build_distiller(cfg)
    Console().print(pairs_table(distiller))
    print(config_text(cfg, distiller))


def build_distiller(cfg: Config) -> KnowledgeDistiller:
    """Build the model of a distilled config, as a runner would.

    Args:
        cfg (Config): The config; its default scope is set.
    """
    init_scope(cfg)
    if cfg.get('data_preprocessor'):  # beside the model, as mmpretrain has it
        cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    return MODELS.build(cfg.model)


def pairs_table(distiller: KnowledgeDistiller) -> Table:
    """Make a table of the layers that are compared.

    Args:
        distiller (KnowledgeDistiller): The built model.

    Returns:
        Table: A row for each pair: loss, weight, both layers, and the shapes
        of their features for the image that they were probed with.
    """
    table = Table()
    for column in ('loss', 'weight', 'student', 'shape', 'teacher', 'shape'):
        table.add_column(column, overflow='fold')
    for bound in distiller.bound:
        for i, ((own, other), shapes) in enumerate(zip(bound.loss.pairs, bound.shapes)):
            name = bound.names[i].partition('.')[0]
            shown = ['x'.join(map(str, shape[1:])) for shape in shapes]
            weight = str(bound.loss.auto or f'{bound.loss.weights[i]:g}')
            table.add_row(name, weight, str(own), shown[0], str(other), shown[1])
    return table


def config_text(cfg: Config, distiller: KnowledgeDistiller) -> str:
    """Write the config lines that say what a method chose.

    Args:
        cfg (Config): The distilled config.
        distiller (KnowledgeDistiller): Its model, built.

    Returns:
        str: Python, to be put into a config in place of ``method``.
    """
    chosen = distiller.chosen.get('distill_losses', ())
    parts: dict = dict(distill_losses=[*chosen, *cfg.model.get('distill_losses', ())])
    if distiller.task_weight != 1:
        parts['task_weight'] = distiller.task_weight
    if cfg.model.get('class_map'):
        parts['class_map'] = cfg.model.class_map
    return Config(parts).pretty_text
