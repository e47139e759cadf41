"""The command that tries MMDetection's configs, and what docs/operators.md says."""

import importlib.util
import re
import sys

import pytest
from tool_runs import ROOT

from inrn_mm.ops import extension
from tools.studies.markdown_table import marks
from tools.studies.mmdet_folders import CONFIGS, find_folders, find_root
from tools.studies.mmdet_trials import explain

PAGE = (ROOT / 'docs' / 'operators.md').read_text()


@pytest.fixture
def tool(monkeypatch):
    """The tool as a module, and its command line."""
    file = ROOT / 'tools' / 'analysis_tools' / 'check_operators.py'
    spec = importlib.util.spec_from_file_location('check_operators', file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', [file.name, *map(str, arguments)])
        module.main()

    module.run = run
    return module


def test_two_folders(tool, tmp_path, monkeypatch, capsys):
    """One works, one needs a package that no test environment has."""
    record = '--record', tmp_path / 'rows.jsonl'
    page = tmp_path / 'page.md'
    begin, end = marks('check_operators.py')
    page.write_text(f'before\n{begin}\nstale row\n{end}\nafter\n')
    tool.run('yolof', 'misc', '--out', page, *record)
    text = page.read_text()
    assert text.startswith('before\n') and text.endswith('\nafter\n') and 'stale row' not in text
    rows = [line.strip('| ').split(' | ') for line in text.splitlines() if line.startswith('| ')]
    assert [row[0] for row in rows] == ['folder', 'yolof', 'misc']
    assert rows[1][1:3] == ['yolof_r50-c5_8xb8-1x_coco', 'works'] and 'nms' in rows[1][-1]
    assert rows[2][2] == 'needs `detectron2`'
    assert '1 of 2 folders work; 1 need a package' in capsys.readouterr().out
    if 'did not run' not in text:  # where both kinds are, nothing is left to run
        monkeypatch.setattr(tool, 'run_folders', None)
        tool.run('misc', 'yolof', *record)
        assert '| yolof | yolof_r50-c5_8xb8-1x_coco | works | works |' in capsys.readouterr().out


def rows(**status):
    return {
        name: dict(status=s, what='nms' if s == 'operator' else '', operators=[], config='c')
        for name, s in status.items()
    }


def test_what_works_with_compiled_operators_alone_is_an_error(tool, monkeypatch, capsys):
    ours = rows(atss='works', yolo='operator', ssd='error')
    theirs = rows(atss='works', yolo='works', ssd='error')
    monkeypatch.setattr(tool, 'run_all', lambda *args: [ours, theirs])
    with pytest.raises(SystemExit, match='compiled operators alone: yolo$'):
        tool.run('atss', 'yolo', 'ssd')
    printed = capsys.readouterr().out
    assert 'Of the 2 that work with compiled operators 1 do (50%).' in printed
    assert '| yolo | c | no `nms` | works |' in printed
    monkeypatch.setattr(tool, 'run_all', lambda *args: [theirs, theirs])
    tool.run('atss', 'yolo', 'ssd')
    assert '(100%)' in capsys.readouterr().out
    # an environment without any
    monkeypatch.setattr(tool, 'run_all', lambda *args: [ours, 'there are none.'])
    tool.run('atss', 'yolo', 'ssd')
    assert 'did not run: there are none.' in capsys.readouterr().out


def test_jobs_share_the_folders(tool, monkeypatch, capsys):
    parts = []

    def run_folders(kind, folders, limit, note):
        parts.append((kind, folders))
        for name in folders:
            note(kind, dict(rows(**{name: 'works'})[name], folder=name))
        return 'none here' if kind == 'compiled' else ''

    monkeypatch.setattr(tool, 'run_folders', run_folders)
    tool.run('atss', 'yolo', 'ssd', '--jobs', '2')
    assert sorted(parts) == sorted(
        (kind, part) for kind in tool.KINDS for part in (['atss', 'ssd'], ['yolo'])
    )
    printed = capsys.readouterr().out
    assert 'did not run: none here' in printed
    assert printed.index('| atss') < printed.index('| yolo') < printed.index('| ssd')


def test_refusals(tool, monkeypatch, tmp_path, capsys):
    with pytest.raises(SystemExit):
        tool.run('atss', 'gone')
    assert 'no folder gone' in capsys.readouterr().err
    monkeypatch.setattr(tool, 'run_all', lambda *args: [rows(atss='works')] * 2)
    (tmp_path / 'page.md').write_text('no marks')
    with pytest.raises(SystemExit, match='has no lines'):
        tool.run('atss', '--out', tmp_path / 'page.md')


def test_errors_are_told_apart():
    with pytest.raises(NotImplementedError) as error:
        extension.nms_rotated()
    assert explain(error.value) == ('operator', 'nms_rotated')
    no_kernel = RuntimeError('roi_pool_forward_impl: implementation for device cpu:0 not found.\n')
    assert explain(no_kernel) == ('operator', 'roi_pool_forward')
    assert explain(ModuleNotFoundError("No module named 'lap'")) == ('package', 'lap')
    missing = RuntimeError('transformers is not installed, please install it by: pip ...')
    assert explain(missing) == ('package', 'transformers')
    missing = ImportError('Please install Detectron2 first')
    assert explain(missing) == ('package', 'detectron2')
    missing = ImportError('it needs timm, please install it by `pip install "timm"`.')
    assert explain(missing) == ('package', 'timm')
    assert explain(ValueError('a\n b')) == ('error', 'ValueError: a b')


def test_folders():
    """Each folder with models has a config, and the exceptions are there."""
    folders = find_folders()
    with_models = {file.parent.name for file in find_root().glob('*/*.py')}
    assert set(folders) == with_models - {'_base_', 'common'}
    assert all(file.is_file() for file in folders.values())
    assert {name: folders[name].stem for name in CONFIGS} == CONFIGS


def test_page_has_every_operator():
    """The table of docs/operators.md, against what there is."""
    table = PAGE.split('## What there is')[1].split('## Known')[0]
    listed = set(re.findall(r'`(\w+)`', ''.join(re.findall(r'^\| (`[^|]*)\|', table, re.M))))
    names = set(extension.__all__) - {'STANDS_IN'}
    assert f'these are {len(names)}' in table
    operators = {re.sub(r'_(forward|backward).*', '', name) for name in names}
    built_on_them = {'batched_nms', 'MaskedConv2d', 'MMSyncBN'}
    assert {n for n in operators if not n.startswith('get_')} == listed - built_on_them
