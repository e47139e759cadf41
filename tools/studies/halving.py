"""Successive halving: methods that cannot win are stopped early."""

import time
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any

from .training_comparison import read_run, summarize
from .training_runs import Run, train_all

FIRST = 2  # seeds before the first choice


def stages(seeds: Sequence[int], methods: int) -> Iterator[list[int]]:
    """Split seeds into the parts after which the worse half of the methods stops.

    Args:
        seeds (Sequence[int]): All seeds.
        methods (int): Number of methods at the beginning.

    Yields:
        list[int]: 2, 2, 4, 8 ... seeds while there is more than one method, then all others.
    """
    begin, size = 0, FIRST
    while methods > 1 and begin < len(seeds):
        yield list(seeds[begin : begin + size])
        begin, size, methods = begin + size, max(begin + size, FIRST), ceil(methods / 2)
    if begin < len(seeds):
        yield list(seeds[begin:])


def better_half(rows: Sequence[dict], metric: str, methods: Sequence[str]) -> list[str]:
    """Choose the better half of the methods by the mean of their differences.

    Args:
        rows (Sequence[dict]): Rows of
            :func:`~tools.studies.training_comparison.summarize`.
        metric (str): The metric that decides.
        methods (Sequence[str]): Those that are still trained, without the baseline.

    Returns:
        list[str]: In the same order; one without a result is among the worse.
    """
    sign = -1 if 'loss' in metric else 1
    pairs = {row['method']: row['metrics'][metric]['paired'] for row in rows}
    means = {name: sign * pairs[name]['mean'] for name in methods if pairs.get(name)}
    order = sorted(methods, key=lambda name: -means.get(name, float('-inf')))
    best = order[: ceil(len(methods) / 2)]
    return [name for name in methods if name in best]


def train_by_halves(
    runs: Sequence[Run],
    plan: dict[str, Any],
    jobs: int | None,
    max_minutes: float | None,
    on_end: Callable[[], object],
) -> tuple[int, bool]:
    """Train all methods with two seeds, the better half with two more, and so on.

    Which of them go on is decided by the results, so that these flatter them: what
    has decided is written into the plan, and the verdict counts the other seeds.

    Args:
        runs (Sequence[Run]): All runs.
        plan (dict): See :func:`~tools.studies.comparison_plan.fix_plan`; gets
            ``stopped`` (method to its number of seeds) and ``choosing_seeds``.
        jobs (int, optional): See :func:`~tools.studies.training_runs.train_all`.
        max_minutes (float, optional): As there.
        on_end (Callable): Called each time a run has ended.

    Returns:
        tuple[int, bool]: How many runs failed, and whether time was up.
    """
    metric, baseline = plan['metric'], plan['baseline']
    methods = [name for name in dict.fromkeys(run.method for run in runs) if name != baseline]
    plan.update(stopped={}, choosing_seeds=[])
    begin, failed = time.monotonic(), 0
    done: list[int] = []
    seeds = list(dict.fromkeys(run.seed for run in runs))
    parts = list(stages(seeds, len(methods)))
    for i, seeds in enumerate(parts):
        part = [run for run in runs if run.seed in seeds and run.method in (*methods, baseline)]
        left = max_minutes and max(0.0, max_minutes - (time.monotonic() - begin) / 60)
        more, late = train_all(part, jobs, left, on_end)
        failed, done = failed + more, done + seeds
        if late:
            return failed, True
        if len(methods) > 1 and i + 1 < len(parts):
            kept = better_half(_rows(runs, metric, baseline), metric, methods)
            plan['stopped'].update((name, len(done)) for name in methods if name not in kept)
            plan['choosing_seeds'] = list(done)
            methods = kept
            print(f'after {len(done)} seeds these go on: {", ".join(methods)}')
    on_end()
    return failed, False


def _rows(runs: Sequence[Run], metric: str, baseline: str) -> list[dict]:
    finished = [run for run in runs if run.read_record()['finished']]
    return summarize([read_run(Path(run.folder), [metric]) for run in finished], [metric], baseline)
