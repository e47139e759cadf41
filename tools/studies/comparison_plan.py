"""What a comparison of trainings fixes before it sees a result."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inrn_mm.utils.whole_file import whole_file

PLAN = 'plan.json'
# mmdet logs AP between 0 and 1
FRACTIONS = ('coco/', 'pascal_voc/')


def check_gain(gain: float, metric: str) -> None:
    """Refuse a threshold in another unit than the metric's.

    Args:
        gain (float): The difference that matters.
        metric (str): The metric's key in the log.

    Raises:
        ValueError: If it is below 0, or points of a metric that is a fraction.
    """
    if gain < 0:
        raise ValueError(f'--gain {gain:g}: the difference that matters is 0 or more.')
    if metric.startswith(FRACTIONS) and gain >= 0.2:
        raise ValueError(
            f'--gain {gain:g}: {metric} is logged between 0 and 1, so half a point is 0.005; '
            'give the gain in that unit.'
        )


def fix_plan(
    out: Path, metric: str, gain: float, baseline: str | None, seeds: Sequence[int]
) -> dict[str, Any]:
    """Write down what decides, before the first run; read it when the tool goes on.

    Args:
        out (Path): Folder of the comparison.
        metric (str): The metric that decides.
        gain (float): The difference of it that matters.
        baseline (str, optional): The method that others are compared with.
        seeds (Sequence[int]): Seeds of the runs.

    Returns:
        dict: These, with ``late_seeds``: those added when runs had ended.

    Raises:
        ValueError: If metric, gain or baseline were others before.
    """
    path = out / PLAN
    fixed = dict(metric=metric, gain=gain, baseline=baseline)
    plan: dict[str, Any] = dict(fixed, seeds=list(seeds), late_seeds=[])
    if path.is_file():
        plan = json.loads(path.read_text())
        for key, value in fixed.items():
            if plan[key] != value:
                raise ValueError(
                    f'{out} was begun with {key} {plan[key]}, not {value}: what decides is fixed '
                    'before the runs. Use the same, or another folder by --out.'
                )
        new = [seed for seed in seeds if seed not in plan['seeds']]
        plan['seeds'] += new
        if any(out.glob('*/*/last_checkpoint')):
            plan['late_seeds'] += new
    with whole_file(path) as part:
        part.write_text(json.dumps(plan, indent=1) + '\n')
    return plan


def say_budget(finished: Sequence[float], waiting: int, jobs: int, left: float | None) -> str:
    """Say how many of the runs that are left will fit.

    Args:
        finished (Sequence[float]): Seconds of the runs that have ended, at
            least one.
        waiting (int): Number of runs left.
        jobs (int): Runs beside each other.
        left (float, optional): Seconds left; None without a limit.

    Returns:
        str: A line.
    """
    each = sum(finished) / len(finished)
    line = f'{waiting} runs are left, about {each * waiting / jobs / 60:.0f} minutes'
    if left is None:
        return line + '.'
    fit = min(waiting, int(left * jobs / each))
    return f'{line}; {fit} of them fit into the {max(left, 0) / 60:.0f} minutes that are left.'
