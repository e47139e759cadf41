"""The figures of a diagnosis as tables on the terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table

from tools.diagnosis.verdict import main_metric


def print_report(report: dict[str, Any], console: Console) -> None:
    """Print all figures, and the sentences.

    Args:
        report (dict): What :func:`tools.diagnosis.run.diagnose` found.
        console (Console): Where to.
    """
    console.print(metric_table(report))
    console.print(pair_table(report['pairs']))
    for sentence in report['verdict']:
        console.print(sentence, highlight=False, markup=False)


def metric_table(report: dict[str, Any]) -> Table:
    """Make a table of the networks."""
    networks = {'student': report['student'], **report['teachers']}
    keys: list[str] = []
    own = report['student']['metrics'] or {}
    for entry in networks.values():
        key = main_metric(own, entry['metrics'] or {})
        if key and key not in keys:
            keys.append(key)
    table = Table(title='on the validation set')
    for column in ('network', *keys, 'same class', 'boxes found'):
        table.add_column(column, overflow='fold')
    for name, entry in networks.items():
        agreement = entry.get('agreement') or {}
        notes = [entry['reason'], 'random weights' if entry.get('random_weights') else '']
        boxes = agreement.get('found') if agreement.get('kind') == 'boxes' else None
        table.add_row(
            '\n'.join([name, *(f'({note})' for note in notes if note)]),
            *(_number((entry['metrics'] or {}).get(key)) for key in keys),
            _percent(agreement.get('same_class')),
            _percent(boxes),
        )
    return table


def pair_table(pairs: list[dict[str, Any]]) -> Table:
    """Make a table of the pairs of layers."""
    table = Table(title='on training batches')
    for column in ('loss', 'gradient / task', 'cosine', 'constant', 'R2'):
        table.add_column(column, overflow='fold')
    for pair in pairs:
        other = '' if pair['teacher_layer'] == pair['student_layer'] else pair['teacher_layer']
        unsure = pair['r2'] is not None and not pair['enough_places']
        notes = [pair['reason'], f'{pair["places"]} places are too few' if unsure else '']
        name = f'{pair["name"]}, {other}' if other else pair['name']
        table.add_row(
            '\n'.join([name, *(f'({note})' for note in notes if note)]),
            _spread(pair['gradient_ratio']),
            _spread(pair['cosine']),
            _percent(pair['constant']),
            _number(pair['r2']) + ('?' if unsure else ''),
        )
    return table


def _number(value: float | None) -> str:
    return '-' if value is None else f'{value:,.0f}' if abs(value) >= 1000 else f'{value:.3g}'


def _percent(value: float | None) -> str:
    return '-' if value is None else f'{value:.0%}'


def _spread(value: dict[str, float] | None) -> str:
    return '-' if value is None else f'{_number(value["mean"])} ± {_number(value["std"])}'
