"""Methods that cannot win are stopped, and those that go on are not flattered."""

import json

import numpy as np
import pytest

from tools.studies import halving
from tools.studies.training_comparison import markdown, summarize
from tools.studies.training_runs import Run


def test_stages_double():
    assert list(halving.stages(range(10), 4)) == [[0, 1], [2, 3], [4, 5, 6, 7, 8, 9]]
    assert list(halving.stages(range(5), 2)) == [[0, 1], [2, 3, 4]]
    assert list(halving.stages([7], 3)) == [[7]]
    assert list(halving.stages(range(3), 1)) == [[0, 1, 2]]


def runs_of(scores, seeds):
    return [
        dict(method=m, seed=s, values=dict(AP=score(m, s)), step_time=1, memory=1, machine='',
             options=[], memory_of='process')
        for m in scores for s in seeds
        for score in [lambda m, s: scores[m][s]]
    ]  # fmt: skip


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Four methods of which b and c are best; what is trained, and the report."""
    scores = dict(alone=0.3, a=0.29, b=0.35, c=0.34, d=0.2)
    runs = [
        Run('x.py', seed, [], tmp_path / method / str(seed), method=method)
        for seed in range(6)
        for method in scores
    ]
    started = []

    def train_all(part, jobs, left, on_end):
        for run in part:
            started.append((run.method, run.seed))
            run.folder.mkdir(parents=True)
            run.write_record(dict(run.read_record(), finished=True))
        return 0, False

    def read_run(folder, metrics):
        record = json.loads((folder / 'run.json').read_text())
        value = scores[record['method']] + 0.01 * record['seed']
        return dict(record, values=dict(AP=value), step_time=1, memory=1)

    monkeypatch.setattr(halving, 'train_all', train_all)
    monkeypatch.setattr(halving, 'read_run', read_run)
    plan = dict(metric='AP', baseline='alone')
    assert halving.train_by_halves(runs, plan, None, None, lambda: None) == (0, False)
    return started, plan


def test_the_worse_half_is_stopped(trained):
    started, plan = trained
    seeds = {name: [s for m, s in started if m == name] for name, _ in started}
    assert seeds['alone'] == seeds['b'] == [0, 1, 2, 3, 4, 5]
    assert seeds['c'] == [0, 1, 2, 3] and seeds['a'] == seeds['d'] == [0, 1]
    assert plan['stopped'] == dict(a=2, d=2, c=4)
    assert plan['choosing_seeds'] == [0, 1, 2, 3]


def test_chosen_ones_are_judged_by_later_seeds():
    rng = np.random.default_rng(0)
    scores = {name: rng.normal(size=6) for name in ('alone', 'kd', 'pkd')}
    runs = [run for run in runs_of(scores, range(6)) if run['method'] != 'kd' or run['seed'] < 2]
    rows = summarize(runs, ['AP'], 'alone', stopped=dict(kd=2), choosing_seeds=[0, 1])
    by_name = {row['method']: row['metrics']['AP']['paired'] for row in rows}
    assert by_name['pkd']['seeds'] == [2, 3, 4, 5]
    assert by_name['kd']['seeds'] == [0, 1] and by_name['kd']['verdict'] == 'stopped early'
    assert '| stopped early |' in markdown(rows, runs)


def test_the_best_of_many_nulls_is_seldom_better():
    """The seeds that chose would call it better far too often."""
    rng, fair, flattered = np.random.default_rng(0), [], []
    for _ in range(150):
        scores = {name: rng.normal(size=7) for name in ('alone', *'abcdefgh')}
        first = summarize(runs_of(scores, range(2)), ['AP'], 'alone')
        pairs = {row['method']: row['metrics']['AP']['paired'] for row in first[1:]}
        best = max(pairs, key=lambda name: pairs[name]['mean'])
        runs = runs_of({name: scores[name] for name in ('alone', best)}, range(7))
        for found, choosing in ((fair, [0, 1]), (flattered, [])):
            row = summarize(runs, ['AP'], 'alone', choosing_seeds=choosing)[1]
            found.append(row['metrics']['AP']['paired']['verdict'] == 'better')
    assert np.mean(fair) <= 0.06 < np.mean(flattered)
