"""From figures to plain sentences."""

from typing import Any

POINT = 0.01  # of a metric up to 1; a hundred times that of one in percent
WEAK, STRONG = 0.01, 3.0  # of the ratio of gradients
AGAINST = -0.1  # of the cosine
EXPLAINED, FOREIGN = 0.9, 0.1  # of R2
MAIN_METRICS = ('bbox_mAP', 'segm_mAP', 'top1', 'mAP', 'AP50', 'mIoU')


def main_metric(student: dict[str, float], teacher: dict[str, float]) -> str | None:
    """Choose the metric that decides, of those that either has."""
    names = [*student, *(name for name in teacher if name not in student)]
    for ending in MAIN_METRICS:
        for name in names:
            if name.split('/')[-1].endswith(ending):
                return name
    return names[0] if names else None


def conclude(report: dict[str, Any]) -> list[str]:
    """Write two or three sentences.

    Args:
        report (dict): What :func:`tools.diagnosis.run.diagnose` found.

    Returns:
        list[str]: The first on the metric, the others on gradients and
        features.
    """
    first = ' '.join(
        _on_metric(name, x, report['student']) for name, x in report['teachers'].items()
    )
    return [
        first or 'The student is its own teacher: no other network is there to be better.',
        _on_gradients(report['pairs']),
        _on_features(report['pairs'], bool(report['checkpoint'])),
    ]


def _on_metric(name: str, teacher: dict[str, Any], student: dict[str, Any]) -> str:
    who = 'the teacher' if name == 'teacher' else f"the teacher '{name}'"
    own, other = student['metrics'], teacher['metrics']
    key = main_metric(own or {}, other or {})
    if own is None or other is None or key is None:
        reason = teacher['reason'] or student['reason'] or 'there is no metric'
        known = f' (its {key} is {other[key]:.3f})' if other and key in other else ''
        return f'Whether {who} is better than the student is not known: {reason}{known}.'
    # a detector without any box has no metric
    mine, its = own.get(key, 0.0), other.get(key, 0.0)
    point = POINT if max(abs(mine), abs(its)) <= 1 else 100 * POINT
    figures = f'{key} {its:.3f} against {mine:.3f} ({its - mine:+.3f})'
    if max(mine, its) < point:
        return (
            f'Neither {who} nor the student knows these images: {figures}; check the checkpoints.'
        )
    if its - mine >= point:
        text = f'is better than the student: {figures}.'
    elif mine - its >= point:
        text = f'is worse than the student: {figures}; on the whole it has nothing to teach.'
    else:
        text = f'is no better than the student: {figures}, less than a point; nothing to teach.'
    return f'{who[0].upper()}{who[1:]} {text}'


def _on_gradients(pairs: list[dict[str, Any]]) -> str:
    known = [pair for pair in pairs if pair['gradient_ratio']]
    if not known:
        reason = next((pair['reason'] for pair in pairs if pair['reason']), '')
        return f'How strong the losses are beside the task is not known{reason and f": {reason}"}.'
    against = [pair for pair in known if _points_against(pair['cosine'])]
    weak = [pair for pair in known if pair['gradient_ratio']['mean'] < WEAK]
    strong = [pair for pair in known if pair['gradient_ratio']['mean'] > STRONG]
    parts = []
    if against:
        worst = min(against, key=lambda pair: pair['cosine']['mean'])
        parts.append(
            f'the gradient of {_named(against, worst)} points against the task (cosine '
            f'{worst["cosine"]["mean"]:.2f}): lower the weight, or compare another layer'
        )
    if weak:
        worst = min(weak, key=lambda pair: pair['gradient_ratio']['mean'])
        factor = worst['gradient_ratio']['mean']
        size = f'{1 / factor:.0f} times smaller than' if factor else 'nothing beside'
        parts.append(
            f"the gradient of {_named(weak, worst)} is {size} the task's at the student's layer: "
            "raise the weight, as by weight='auto:0.1'"
        )
    if strong:
        worst = max(strong, key=lambda pair: pair['gradient_ratio']['mean'])
        factor = worst['gradient_ratio']['mean']
        parts.append(
            f'the gradient of {_named(strong, worst)} is {factor:.1f} times '
            "the task's and drowns it: lower the weight, as by weight='auto:0.1'"
        )
    if not parts:
        ratios = [pair['gradient_ratio']['mean'] for pair in known]
        parts = [
            f"the losses' gradients are {_range(ratios)} of the task's at the student's layers, "
            'and none points against it'
        ]
    text = '; '.join(parts)
    return f'{text[0].upper()}{text[1:]}.'


def _points_against(cosine: dict[str, float] | None) -> bool:
    """Tell whether the mean is low, and not by the chance of a few batches."""
    if cosine is None:
        return False
    error = cosine['std'] / max(cosine['batches'] - 1, 1) ** 0.5
    return cosine['mean'] < AGAINST and cosine['mean'] + 2 * error < 0


def _on_features(pairs: list[dict[str, Any]], trained: bool) -> str:
    known = [pair for pair in pairs if pair['r2'] is not None and pair['enough_places']]
    if not known:
        return (
            'How much the student already knows of the features is not known: too few places for '
            'a map of so many channels (take more --num-batches), or none that both sides have.'
        )
    done = [pair for pair in known if pair['r2'] > EXPLAINED]
    foreign = [pair for pair in known if pair['r2'] < FOREIGN]
    parts = []
    if done:
        best = max(done, key=lambda pair: pair['r2'])
        parts.append(
            f"a linear map of the student's features explains {best['r2']:.0%} of the teacher's at "
            f'{_named(done, best)}: there is nothing left to teach'
        )
    if foreign:
        worst = min(foreign, key=lambda pair: pair['r2'])
        parts.append(
            f"no linear map of the student's features explains the teacher's at "
            f'{_named(foreign, worst)} (R2 {worst["r2"]:.2f}): compare layers that mean the same, '
            'or other levels'
        )
    if not parts:
        shares = _range([pair['r2'] for pair in known])
        parts = [
            f"a linear map of the student's features explains {shares} of the variation of the "
            "teacher's: the rest is there to be learnt"
        ]
    text = '; '.join(parts) + ('' if trained else ' (of a student that is not trained)')
    return f'{text[0].upper()}{text[1:]}.'


def _named(several: list[dict[str, Any]], worst: dict[str, Any]) -> str:
    more = len(several) - 1
    return worst['name'] + (f' and {more} more' if more else '')


def _range(values: list[float]) -> str:
    low, high = (f'{value:.2g}' for value in (min(values), max(values)))
    return low if low == high else f'{low} to {high}'
