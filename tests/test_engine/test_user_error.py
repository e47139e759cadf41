import pytest
import torch

from inrn_mm.backbones import INRN
from inrn_mm.engine import load_state, user_errors


@pytest.fixture(autouse=True)
def no_debug(monkeypatch):
    monkeypatch.delenv('INRN_DEBUG', raising=False)
    monkeypatch.delenv('RANK', raising=False)


def sentence(capsys, function):
    with pytest.raises(SystemExit) as info, user_errors():
        function()
    assert info.value.code == 2
    return capsys.readouterr().err


def test_own_error_is_one_line(capsys):
    error = sentence(capsys, lambda: INRN('xxl'))
    assert error.startswith("error: Unknown arch 'xxl': choose one of")
    assert error.count('\n') == 1


def test_error_wrapped_by_a_library(capsys):

    def wrap():
        try:
            load_state('gone.pth')
        except FileNotFoundError as error:
            raise RuntimeError('in a hook') from error

    assert sentence(capsys, wrap).startswith('error: Checkpoint gone.pth')


def test_rank_is_named(capsys, monkeypatch):
    monkeypatch.setenv('RANK', '3')
    assert sentence(capsys, lambda: INRN('xxl')).startswith('error (rank 3): Unknown arch')


def test_foreign_errors_keep_their_traceback():
    with pytest.raises(RuntimeError), user_errors():
        torch.zeros(2) @ torch.zeros(3)


def test_our_bugs_keep_their_traceback():
    # raised inside this package, but not by one of its raise statements
    with pytest.raises(TypeError), user_errors():
        INRN('m', out_indices=('a',))


def test_debug_shows_the_traceback(monkeypatch):
    monkeypatch.setenv('INRN_DEBUG', '1')
    with pytest.raises(ValueError), user_errors():
        INRN('xxl')
