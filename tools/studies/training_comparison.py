"""Trainings beside each other: one table and one picture."""

import csv
import json
from collections.abc import Sequence
from math import isclose
from pathlib import Path
from statistics import mean, median, stdev

from inrn_mm.utils.logs import read_scalars

from .markdown_table import markdown_table
from .training_runs import RECORD


def read_run(folder: Path, metrics: Sequence[str]) -> dict:
    """Read the results of one training.

    Args:
        folder (Path): Its work_dir, with the record of a
            :class:`~tools.studies.training_runs.Run`.
        metrics (Sequence[str]): Keys of the log. Of a training loss, the mean
            of the last tenth of the logged values counts; of a metric, its
            last value (not the best: that is chosen on the very images).

    Returns:
        dict: The record, with ``values`` (metric to number), ``step_time``
        (median of the logged seconds of an iteration) and ``memory`` (MB of
        the GPU's tensors, else of the largest process).

    Raises:
        ValueError: If a metric was not logged.
    """
    run = json.loads((folder / RECORD).read_text())
    train, val = read_scalars(folder)
    run['values'] = {}
    for metric in metrics:
        lines = train if 'loss' in metric else val
        values = [line[metric] for line in lines if metric in line]
        if not values:
            known = {key for line in val for key in line}
            known |= {key for line in train for key in line if 'loss' in key}
            known = sorted(known - {'iter', 'step', 'losses'})
            raise ValueError(
                f"{folder} has not logged '{metric}'; it has {', '.join(known) or 'nothing'}."
            )
        tail = max(1, len(values) // 10) if 'loss' in metric else 1
        run['values'][metric] = mean(values[-tail:])
    run['step_time'] = median(line['time'] for line in train)
    on_gpu = [line['memory'] for line in train if 'memory' in line]
    run['memory'] = max(on_gpu) if on_gpu else run['peak_rss']
    run['memory_of'] = 'GPU' if on_gpu else 'process'
    return run


def summarize(
    runs: Sequence[dict],
    metrics: Sequence[str],
    baseline: str | None = None,
    published: dict[str, float] | None = None,
) -> list[dict]:
    """Make a row for each method, in the order of the runs.

    Args:
        runs (Sequence[dict]): Results of :func:`read_run`.
        metrics (Sequence[str]): As there.
        baseline (str, optional): The method that others are compared with.
            Defaults to None.
        published (dict[str, float], optional): Method to the first metric as
            others have it. Defaults to None.

    Returns:
        list[dict]: With ``method``, ``seeds``, for each metric the ``mean``,
        ``std`` (of the sample; None for one seed) and ``gain`` (over the
        baseline, None without), ``step_time`` (median over the seeds),
        ``memory`` (largest), ``added_params`` and ``published`` (None where
        there is no figure).
    """
    groups: dict[str, list[dict]] = {}
    for run in runs:
        groups.setdefault(run['method'], []).append(run)
    rows = []
    for method, group in groups.items():
        row = dict(
            method=method,
            seeds=sorted(run['seed'] for run in group),
            step_time=median(run['step_time'] for run in group),
            memory=max(run['memory'] for run in group),
            added_params=group[0].get('added_params'),
            published=(published or {}).get(method),
            metrics={},
        )
        for metric in metrics:
            values = [run['values'][metric] for run in group]
            row['metrics'][metric] = dict(
                values=values,
                mean=mean(values),
                std=stdev(values) if len(values) > 1 else None,
                gain=None,
            )
        rows.append(row)
    reference = next((r for r in rows if r['method'] == baseline), None)
    for row in rows if reference else []:
        for metric, cell in row['metrics'].items():
            if row is not reference:
                new, old = cell['mean'], reference['metrics'][metric]['mean']
                # float32 metrics that are equal differ in their mean
                equal = isclose(new, old, rel_tol=1e-6)
                cell['gain'] = 0.0 if equal else new - old
    return rows


def markdown(rows: Sequence[dict], runs: Sequence[dict]) -> str:
    """Write the table as Markdown, with what its figures are.

    Args:
        rows (Sequence[dict]): Rows of :func:`summarize`, at least one.
        runs (Sequence[dict]): Results of :func:`read_run`; machines and options are
            theirs.

    Returns:
        str: Table and a paragraph.
    """
    metrics = list(rows[0]['metrics'])
    compared = any(row['published'] is not None for row in rows)
    head = [
        'method',
        'seeds',
        *['published'] * compared,
        *metrics,
        'step (s)',
        'memory (MB)',
        'loss parameters',
    ]
    cells_of = []
    for row in rows:
        cells = [row['method'], str(len(row['seeds']))]
        if compared:
            known = row['published']
            cells.append('-' if known is None else f'{known:.4g}')
        for metric in metrics:
            cell = row['metrics'][metric]
            text = f'{cell["mean"]:.4g}'
            if cell['std'] is not None:
                text += f' ± {cell["std"]:.2g}'
            if cell['gain'] is not None:
                text += f' ({cell["gain"]:+.3g})'
            cells.append(text)
        params = row['added_params']
        cells += [
            f'{row["step_time"]:.3g}',
            f'{row["memory"]:.0f}',
            '-' if params is None else f'{params:,}',
        ]
        cells_of.append(cells)
    memory = ', '.join(sorted({run['memory_of'] for run in runs}))
    machines = '; '.join(sorted({run['machine'] for run in runs}))
    options = ' '.join(dict.fromkeys(o for run in runs for o in run['options'])) or 'none'
    lines = [
        markdown_table(head, cells_of),
        '',
        'Mean ± standard deviation of the sample over the seeds (gain over '
        'the baseline). A metric is that of the last evaluation, a loss the '
        'mean of the last tenth of the log; step is the median of the logged '
        f'time of an iteration; memory is the peak of the {memory}; loss '
        'parameters are those that training needs and inference does not.'
        + f" Published: {metrics[0]} as the method's source has it, not ours."
        * compared,
        '',
        f'Machine: {machines}. Options: `{options}`.',
    ]
    return '\n'.join(lines) + '\n'


def write_csv(rows: Sequence[dict], path: Path) -> None:
    """Write the table with all digits.

    Args:
        rows (Sequence[dict]): Rows of :func:`summarize`, at least one.
        path (Path): The file.
    """
    metrics = list(rows[0]['metrics'])
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        writer.writerow(
            [
                'method',
                'seeds',
                *(f'{metric} {what}' for metric in metrics for what in ('mean', 'std', 'gain')),
                'step_time',
                'memory',
                'added_params',
                'published',
            ]
        )
        for row in rows:
            writer.writerow(
                [
                    row['method'],
                    ' '.join(map(str, row['seeds'])),
                    *(
                        row['metrics'][metric][what]
                        for metric in metrics
                        for what in ('mean', 'std', 'gain')
                    ),
                    row['step_time'],
                    row['memory'],
                    row['added_params'],
                    row['published'],
                ]
            )


def draw(rows: Sequence[dict], path: Path) -> None:
    """Draw each metric and the step time of all methods.

    Seeds are dots, published figures stars.

    Args:
        rows (Sequence[dict]): Rows of :func:`summarize`, at least one.
        path (Path): The picture.
    """
    import matplotlib

    matplotlib.use('Agg')
    import matplotlib.pyplot as plt

    metrics = list(rows[0]['metrics'])
    names = [row['method'] for row in rows]
    places = range(len(rows))
    figure, axes = plt.subplots(
        1,
        len(metrics) + 1,
        figsize=(3 + 4 * (len(metrics) + 1), 1.5 + 0.4 * len(rows)),
        sharey=True,
    )
    for axis, metric in zip(axes, metrics):
        cells = [row['metrics'][metric] for row in rows]
        axis.errorbar(
            [cell['mean'] for cell in cells],
            places,
            xerr=[cell['std'] or 0 for cell in cells],
            fmt='s',
            capsize=4,
        )
        for place, cell in zip(places, cells):
            axis.plot(cell['values'], [place] * len(cell['values']), 'k.', alpha=0.5)
        if metric == metrics[0]:
            known = [
                (row['published'], place)
                for row, place in zip(rows, places)
                if row['published'] is not None
            ]
            if known:
                axis.plot(*zip(*known), 'r*', label='published')
                axis.legend(fontsize=8)
        axis.set(title=metric)
    axes[-1].barh(places, [row['step_time'] for row in rows], height=0.5)
    axes[-1].set(title='seconds of a step')
    axes[0].set_yticks(list(places), names)
    axes[0].invert_yaxis()
    for axis in axes:
        axis.grid(axis='x', alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
