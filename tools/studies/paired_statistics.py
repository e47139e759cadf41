"""What pairs of trainings with the same seeds can tell."""

from collections.abc import Mapping, Sequence
from math import isclose, sqrt
from typing import Any

import numpy as np
from scipy import optimize, stats

CONFIDENCE = 0.95
POWER = 0.8  # of the smallest effect that is said to be detectable
ROUNDING = 1e-9  # of equal differences, relative
BETTER, WORSE = 'better', 'worse'
EQUAL = 'no difference'
OPEN = 'no difference shown'
ALONE = 'one seed: no verdict'


def compare_pairs(
    new: Mapping[int, float],
    old: Mapping[int, float],
    gain: float = 0.0,
    lower_is_better: bool = False,
) -> dict[str, Any]:
    """Compare two methods by the differences within each seed.

    A seed fixes the first weights and the order of the images, so that what
    they do to both methods alike cancels. The interval is Student's, for the
    mean of the differences.

    Args:
        new (Mapping[int, float]): Seed to the result of the method.
        old (Mapping[int, float]): The same of the baseline. Seeds that only
            one of them has are left out.
        gain (float): The difference that matters, in the unit of the results,
            fixed before the trainings. Defaults to 0.
        lower_is_better (bool): Whether small results are good, as of a loss.
            Defaults to False.

    Returns:
        dict: ``seeds``, ``differences`` (new minus old), ``mean``, ``std`` (of
        the sample), ``low`` and ``high`` (95 % interval of the mean), ``p``
        (two-sided t-test), ``sign_p`` (exact two-sided sign test, ties left out),
        ``detectable`` (the smallest true difference that so many seeds of
        such a deviation find with a probability of 0.8) and ``verdict``:
        :data:`BETTER` or :data:`WORSE` if the interval lies beyond ``gain``,
        :data:`EQUAL` if it lies within, else :data:`OPEN`. What one pair
        cannot tell is None.
    """
    seeds = sorted(set(new) & set(old))
    found: dict[str, Any] = dict(
        seeds=seeds, differences=[_difference(new[s], old[s]) for s in seeds]
    )
    diffs = np.array(found['differences'])
    found['mean'] = float(diffs.mean()) if seeds else None
    found.update(dict.fromkeys(('std', 'low', 'high', 'p', 'sign_p', 'detectable')))
    found['verdict'] = ALONE
    if len(seeds) < 2:
        return found
    std = float(diffs.std(ddof=1))
    if std <= ROUNDING * float(np.abs(diffs).max()):
        std = 0.0
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(seeds) - 1)) * std / sqrt(len(seeds))
    low, high = found['mean'] - half, found['mean'] + half
    found.update(std=std, low=low, high=high, sign_p=sign_test(diffs))
    # equal differences, as of a coarse metric: no deviation to test with
    found['p'] = float(stats.ttest_1samp(diffs, 0).pvalue) if std else float(not diffs.any())
    found['detectable'] = smallest_detectable(std, len(seeds))
    found['verdict'] = judge(low, high, gain, lower_is_better)
    if std == 0 and diffs.any():
        found.update(p=None, verdict=OPEN)
    return found


def judge(low: float, high: float, gain: float = 0.0, lower_is_better: bool = False) -> str:
    """Judge an interval of a difference against the one that matters.

    Args:
        low (float): Lower end.
        high (float): Upper end.
        gain (float): See :func:`compare_pairs`. Defaults to 0.
        lower_is_better (bool): As there. Defaults to False.

    Returns:
        str: One of the verdicts.
    """
    if lower_is_better:
        low, high = -high, -low
    if low > gain:
        return BETTER
    if high < -gain:
        return WORSE
    return EQUAL if -gain <= low and high <= gain else OPEN


def sign_test(differences: Sequence[float] | np.ndarray) -> float:
    """Test by signs alone whether differences lean to one side.

    Args:
        differences (Sequence[float]): Paired differences; zeros are left out.

    Returns:
        float: The exact two-sided p; 1 if all are zero.
    """
    signs = np.sign(differences)
    count = int((signs != 0).sum())
    return float(stats.binomtest(int((signs > 0).sum()), count).pvalue) if count else 1.0


def smallest_detectable(std: float, count: int, power: float = POWER) -> float:
    """Find the smallest true difference that paired seeds would probably show.

    Args:
        std (float): Standard deviation of the differences.
        count (int): Number of pairs, at least 2.
        power (float): Probability that the interval then leaves out 0.
            Defaults to 0.8.

    Returns:
        float: In the unit of ``std``, by the noncentral t distribution.
    """
    degrees = count - 1
    critical = stats.t.ppf((1 + CONFIDENCE) / 2, degrees)
    # of means in units of their standard error
    shift = optimize.brentq(lambda x: stats.nct.sf(critical, degrees, x) - power, 0, 5 * critical)
    return float(shift * std / sqrt(count))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Adjust the p of several comparisons by Holm's method.

    Args:
        values (Sequence[float | None]): p of each; None is left alone.

    Returns:
        list[float | None]: Adjusted, in the same order: those up to 0.05 are
        wrong in at most 5 % of all tables, not of all rows.
    """
    known = sorted((p, i) for i, p in enumerate(values) if p is not None)
    adjusted: list[float | None] = [None] * len(values)
    least = 0.0
    for rank, (p, i) in enumerate(known):
        least = max(least, min(1.0, p * (len(known) - rank)))
        adjusted[i] = least
    return adjusted


def _difference(new: float, old: float) -> float:
    """Subtract; float32 metrics that are equal differ in their means."""
    return 0.0 if isclose(new, old, rel_tol=1e-6) else new - old
