import pytest

from inrn_mm.utils.whole_file import whole_file


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / 'new' / 'page.html'
    with whole_file(path) as part:
        part.write_text('half')
        assert part.suffix == '.html' and not path.exists()
    assert path.read_text() == 'half' and list(path.parent.iterdir()) == [path]


def test_an_error_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / 'state.json'
    path.write_text('old')
    with pytest.raises(RuntimeError), whole_file(path) as part:
        part.write_text('half')
        raise RuntimeError
    assert path.read_text() == 'old' and list(tmp_path.iterdir()) == [path]
