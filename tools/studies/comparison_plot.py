"""A picture of trainings beside each other."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt


def draw(rows: Sequence[dict], path: Path, gain: float = 0.0) -> None:
    """Draw each metric, the differences to the baseline and the step time.

    Seeds are dots, bars are 95 % intervals of the mean difference, published
    figures stars.

    Args:
        rows (Sequence[dict]): Rows of
            :func:`~tools.studies.training_comparison.summarize`, at least one.
        path (Path): The picture.
        gain (float): The difference that matters, shaded. Defaults to 0.
    """
    metrics = list(rows[0]['metrics'])
    compared = any(row['metrics'][metrics[0]]['paired'] for row in rows)
    count = len(metrics) + compared + 1
    size = 3 + 4 * count, 1.5 + 0.4 * len(rows)
    figure, axes = plt.subplots(1, count, figsize=size, sharey=True)
    for axis, metric in zip(axes, metrics):
        _draw_metric(axis, [row['metrics'][metric] for row in rows])
        axis.set(title=metric)
    known = [(row['published'], i) for i, row in enumerate(rows) if row['published'] is not None]
    if known:
        axes[0].plot(*zip(*known), 'r*', label='published')
        axes[0].legend(fontsize=8)
    if compared:
        _draw_differences(axes[-2], [row['metrics'][metrics[0]]['paired'] for row in rows], gain)
        axes[-2].set(title=f'{metrics[0]}: difference, 95 % interval')
    axes[-1].barh(range(len(rows)), [row['step_time'] for row in rows], height=0.5)
    axes[-1].set(title='seconds of a step')
    axes[0].set_yticks(range(len(rows)), [row['method'] for row in rows])
    axes[0].invert_yaxis()
    for axis in axes:
        axis.grid(axis='x', alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _draw_metric(axis: Any, cells: Sequence[dict]) -> None:
    """Draw the seeds and their mean. No bars: the seeds' deviation is no error of a difference."""
    for place, cell in enumerate(cells):
        axis.plot(cell['values'], [place] * len(cell['values']), 'k.', alpha=0.5)
        axis.plot(cell['mean'], place, 'C0s')


def _draw_differences(axis: Any, pairs: Sequence[dict | None], gain: float) -> None:
    axis.axvline(0, color='k', linewidth=0.8)
    if gain:
        axis.axvspan(-gain, gain, alpha=0.1)
    for place, pair in enumerate(pairs):
        if pair is None:
            continue
        axis.plot(pair['differences'], [place] * len(pair['differences']), 'k.', alpha=0.5)
        if pair['std'] is not None:
            ends = [[pair['mean'] - pair['low']], [pair['high'] - pair['mean']]]
            axis.errorbar(pair['mean'], place, xerr=ends, fmt='C0s', capsize=4)
