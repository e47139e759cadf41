"""The quick tests with other versions; uv is a stand-in that installs nothing."""

import sys

import pytest
from tool_runs import ROOT

sys.path.insert(0, str(ROOT / 'tools'))
import check_versions

UV = """#!/bin/sh
[ "$1" = venv ] || exit 0
case "$*" in *3.14*) exit 2;; esac
for folder; do :; done
mkdir -p "$folder/bin"
printf '#!/bin/sh\\nexec "%s" "$@"\\n' "{python}" >"$folder/bin/python"
chmod +x "$folder/bin/python"
"""
PAGE = """# Versions

<!-- check_versions: begin -->
<!-- check_versions: end -->
the end
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Call the tool; returns the rows of its page, by name."""
    uv, page = tmp_path / 'bin' / 'uv', tmp_path / 'page.md'
    uv.parent.mkdir()
    uv.write_text(UV.replace('{python}', sys.executable))
    uv.chmod(0o755)
    page.write_text(PAGE)
    monkeypatch.setattr(check_versions, 'PAGE', page)
    monkeypatch.setattr(check_versions, 'FREE_GB', 0)
    monkeypatch.setenv('PATH', str(uv.parent), prepend=':')

    def run(*arguments):
        argv = ['check_versions.py', '--dir', str(tmp_path / 'versions'), '--write', *arguments]
        monkeypatch.setattr(sys, 'argv', argv)
        try:
            check_versions.main()
        finally:
            text = page.read_text()
            assert text.startswith('# Versions\n') and text.endswith('-->\nthe end\n')
            rows = check_versions.read_table(text)
        return rows, text

    return run


def test_rows_of_several_calls(run, tmp_path, capsys):
    rows, _ = run('--only', '*-py3.14')
    assert rows['newest-py3.14']['result'] == 'not run: no Python 3.14 here'
    tests = str(ROOT / 'tests' / 'test_utils' / 'test_logs.py')
    rows, text = run('--only', 'torch2.4-*', '--', tests)
    # in the order of the matrix
    assert list(rows) == ['torch2.4-py3.10', 'newest-py3.14']
    row = rows['torch2.4-py3.10']
    assert row['result'] == '2 passed' in capsys.readouterr().out
    import torch

    assert row['torch'] == torch.__version__.split('+')[0]
    assert 'mmcv ' in row['mm stack'] and 'machine: ' in text
    assert int(row['tests, CPU s']) > 0
    assert not (tmp_path / 'versions' / 'torch2.4-py3.10').exists()


def test_failures_end_with_an_error(run, capsys):
    with pytest.raises(SystemExit, match='torch2.4-py3.10 failed: see the logs'):
        run('--only', 'torch2.4-*', '--', 'tests/no_such_test.py')


def test_wheel_that_is_not_there(run, tmp_path):
    rows, _ = run('--only', 'originals-compiled', '--wheel-dir', str(tmp_path))
    assert rows['originals-compiled']['result'].startswith('not run: no mmcv-2.1.0')


def test_unknown_name(run):
    with pytest.raises(SystemExit, match="no set of versions is named 'torch1': see --list"):
        run('--only', 'torch1')


def test_page_shows_sets_that_exist_and_passed():
    rows = check_versions.read_table((ROOT / 'docs' / 'versions.md').read_text())
    names = [versions.name for versions in check_versions.MATRIX]
    assert rows and list(rows) == [name for name in names if name in rows]
    for row in rows.values():
        assert ' passed' in row['result'] or row['result'].startswith('not run: ')
        assert '**' not in row['result']
