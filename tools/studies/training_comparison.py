"""Trainings beside each other: one table and one picture."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median, stdev

from inrn_mm.utils.logs import read_scalars

from .markdown_table import markdown_table
from .paired_statistics import compare_pairs, holm
from .training_runs import RECORD

STOPPED = 'stopped early'
PAIRED = ('low', 'high', 'p', 'sign_p', 'detectable', 'verdict')  # of the table's columns


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
    gain: float = 0.0,
    stopped: dict[str, int] | None = None,
    choosing_seeds: Sequence[int] = (),
) -> list[dict]:
    """Make a row for each method, in the order of the runs.

    Args:
        runs (Sequence[dict]): Results of :func:`read_run`.
        metrics (Sequence[str]): As there; the first decides.
        baseline (str, optional): The method that others are compared with,
            seed by seed. Defaults to None.
        published (dict[str, float], optional): Method to the first metric as
            others have it. Defaults to None.
        gain (float): The difference of the first metric that matters, see
            :func:`~tools.studies.paired_statistics.compare_pairs`. Defaults to 0.
        stopped (dict[str, int], optional): Methods that
            :mod:`~tools.studies.halving` has stopped, and after how many
            seeds. Defaults to None.
        choosing_seeds (Sequence[int]): Seeds that decided which go on, which do not count
            for these. Defaults to ().

    Returns:
        list[dict]: With ``method``, ``seeds``, for each metric the ``values``,
        their ``mean``, ``std`` (of the sample; None for one seed) and
        ``paired`` (result of ``compare_pairs`` with the baseline, None
        without or where no seed is common), ``p_holm`` (of the first metric,
        adjusted over the rows), ``step_time`` (median over the seeds),
        ``memory`` (largest), ``added_params`` and ``published`` (None where
        there is no figure).
    """
    groups: dict[str, list[dict]] = {}
    for run in runs:
        groups.setdefault(run['method'], []).append(run)
    rows = [
        _summarize(method, sorted(group, key=lambda run: run['seed']), metrics, published or {})
        for method, group in groups.items()
    ]
    for method, row in zip(groups, rows):
        if baseline not in groups or method == baseline:
            continue
        for metric, cell in row['metrics'].items():
            unseen = () if method in (stopped or {}) else choosing_seeds
            own, other = (
                {r['seed']: r['values'][metric] for r in groups[m] if r['seed'] not in unseen}
                for m in (method, baseline)
            )
            if set(own) & set(other):
                threshold = gain if metric == metrics[0] else 0.0
                cell['paired'] = compare_pairs(own, other, threshold, 'loss' in metric)
                if method in (stopped or {}):
                    cell['paired'].update(p=None, verdict=STOPPED)
    pairs = [row['metrics'][metrics[0]]['paired'] or {} for row in rows]
    for row, p in zip(rows, holm([pair.get('p') for pair in pairs])):
        row['p_holm'] = p
    return rows


def _summarize(method: str, group: list[dict], metrics: Sequence[str], published: dict) -> dict:
    """Make a row without what it is compared with."""
    row = dict(
        method=method,
        seeds=[run['seed'] for run in group],
        step_time=median(run['step_time'] for run in group),
        memory=max(run['memory'] for run in group),
        added_params=group[0].get('added_params'),
        published=published.get(method),
        metrics={},
    )
    for metric in metrics:
        values = [run['values'][metric] for run in group]
        row['metrics'][metric] = dict(
            values=values,
            mean=mean(values),
            std=stdev(values) if len(values) > 1 else None,
            paired=None,
        )
    return row


def markdown(rows: Sequence[dict], runs: Sequence[dict], gain: float = 0.0) -> str:
    """Write the table as Markdown, with what its figures are.

    Args:
        rows (Sequence[dict]): Rows of :func:`summarize`, at least one.
        runs (Sequence[dict]): Results of :func:`read_run`; machines and options are
            theirs.
        gain (float): As in :func:`summarize`. Defaults to 0.

    Returns:
        str: Table and a paragraph.
    """
    metrics = list(rows[0]['metrics'])
    known = any(row['published'] is not None for row in rows)
    compared = any(cell['paired'] for row in rows for cell in row['metrics'].values())
    head = ['method', 'seeds', *['published'] * known]
    for metric in metrics:
        head += [metric, *['difference, 95 % interval'] * compared]
    head += [*['can be shown', 'verdict'] * compared, 'step (s)', 'memory (MB)', 'loss parameters']
    lines = [markdown_table(head, [_cells(row, known, compared) for row in rows]), '']
    lines += _notes(rows, runs, gain, known, compared)
    return '\n'.join(lines) + '\n'


def _cells(row: dict, known: bool, compared: bool) -> list[str]:
    """Write one row's cells."""
    cells = [row['method'], str(len(row['seeds']))]
    if known:
        cells.append('-' if row['published'] is None else f'{row["published"]:.4g}')
    for cell in row['metrics'].values():
        text = f'{cell["mean"]:.4g}'
        cells.append(text if cell['std'] is None else f'{text} ± {cell["std"]:.2g}')
        if compared:
            cells.append(difference(cell['paired']))
    if compared:
        pair = next(iter(row['metrics'].values()))['paired'] or {}
        least = pair.get('detectable')
        cells += ['-' if least is None else f'{least:.2g}', pair.get('verdict', '-')]
    params = row['added_params']
    return cells + [
        f'{row["step_time"]:.3g}',
        f'{row["memory"]:.0f}',
        '-' if params is None else f'{params:,}',
    ]


def difference(pair: dict | None) -> str:
    """Write a difference with its interval.

    Args:
        pair (dict, optional): Result of ``compare_pairs``.

    Returns:
        str: Such as ``+0.012 [-0.001, +0.025], n = 5``; a dash for None.
    """
    if pair is None:
        return '-'
    if pair['std'] is None:
        return f'{pair["mean"]:+.3g}, n = 1'
    ends = f'[{pair["low"]:+.3g}, {pair["high"]:+.3g}]'
    return f'{pair["mean"]:+.3g} {ends}, n = {len(pair["seeds"])}'


def _notes(
    rows: Sequence[dict], runs: Sequence[dict], gain: float, known: bool, compared: bool
) -> list[str]:
    """Say what the figures are."""
    first = next(iter(rows[0]['metrics']))
    memory = ', '.join(sorted({run['memory_of'] for run in runs}))
    lines = [
        'Mean ± standard deviation of the sample over the seeds. A metric is that of the last '
        'evaluation, a loss the mean of the last tenth of the log; step is the median of the '
        f'logged time of an iteration; memory is the peak of the {memory}; loss parameters are '
        'those that training needs and inference does not.'
        + f" Published: {first} as the method's source has it, not ours."
        * known
    ]
    if compared:
        pairs = [row['metrics'][first]['paired'] for row in rows]
        count = sum(pair is not None for pair in pairs)
        sure = [
            row['method'] for row in rows if row['p_holm'] is not None and row['p_holm'] <= 0.05
        ]
        lines += [
            '',
            'Differences to the baseline are of runs with the same seed; their interval is '
            "Student's, over n pairs. Can be shown: the smallest true difference that so many "
            'pairs of this deviation find four times in five. Verdict: of '
            f'{first}, better or worse if the interval lies beyond {gain:g}, fixed before the '
            'runs; no difference if it lies within; else none was shown.'
            + (
                f' Of {count} comparisons, still different from 0 if all are to be right '
                f'together (Holm, 5 %): {", ".join(sure) or "none"}.'
            )
            * (count > 1),
        ]
    machines = '; '.join(sorted({run['machine'] for run in runs}))
    options = ' '.join(dict.fromkeys(o for run in runs for o in run['options'])) or 'none'
    return [*lines, '', f'Machine: {machines}. Options: `{options}`.']


def write_csv(rows: Sequence[dict], path: Path) -> None:
    """Write the table with all digits.

    Args:
        rows (Sequence[dict]): Rows of :func:`summarize`, at least one.
        path (Path): The file.
    """
    metrics = list(rows[0]['metrics'])
    with open(path, 'w', newline='') as file:
        writer = csv.writer(file)
        columns = [f'{m} {x}' for m in metrics for x in ('mean', 'std', 'difference', *PAIRED)]
        last = ('step_time', 'memory', 'added_params', 'published')
        writer.writerow(['method', 'seeds', *columns, *last])
        for row in rows:
            cells = [row['method'], ' '.join(map(str, row['seeds']))]
            for cell in row['metrics'].values():
                pair = cell['paired'] or {}
                cells += [cell['mean'], cell['std'], pair.get('mean'), *map(pair.get, PAIRED)]
            writer.writerow([*cells, *(row[name] for name in last)])
