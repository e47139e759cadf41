"""docs/results.md is what its files say."""

import json
import shutil

import pytest
from tool_runs import ROOT

from tools.studies.training_comparison import summarize

TOOL = 'analysis_tools/write_results.py'
FILES = sorted((ROOT / 'docs/results').glob('*.json'))


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_statistics_are_those_of_the_runs(file):
    result = json.loads(file.read_text())
    plan = result['plan']
    metrics = list(result['rows'][0]['metrics'])
    rows = summarize(result['runs'], metrics, plan['baseline'], gain=plan['gain'])
    for old, new in zip(result['rows'], rows, strict=True):
        assert old['method'] == new['method'] and old['seeds'] == new['seeds']
        pair, expected = (row['metrics'][metrics[0]]['paired'] for row in (old, new))
        assert (pair is None) == (expected is None) == (old['method'] == plan['baseline'])
        if pair:
            assert pair.pop('verdict') == expected.pop('verdict')
            for key, value in expected.items():
                assert pair[key] == pytest.approx(value), key


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_nothing_is_published_without_an_interval(file):
    result = json.loads(file.read_text())
    others = [row for row in result['rows'] if row['method'] != result['plan']['baseline']]
    for row in others:
        assert next(iter(row['metrics'].values()))['paired']['low'] is not None
    for run in result['runs']:
        assert len(run['checkpoint_sha256']) == len(run['config_sha256']) == 64
    assert not any(word in file.read_text() for word in ('/work', '/home', '/root', '/tmp'))


def test_the_page_is_what_the_files_say(run_tool):
    assert FILES
    run_tool(TOOL, '--check')


def test_a_typed_figure_is_found(run_tool, tmp_path, capsys):
    page = tmp_path / 'results.md'
    shutil.copytree(ROOT / 'docs/results', tmp_path / 'results')
    before = (ROOT / 'docs/results.md').read_text()
    page.write_text(before.replace(' better |', ' much better |', 1))
    if page.read_text() == before:
        pytest.skip('no row of the page is better')
    with pytest.raises(SystemExit, match='is not what its files say'):
        run_tool(TOOL, '--check', '--page', page)
    run_tool(TOOL, '--page', page)
    assert page.read_text() == before
