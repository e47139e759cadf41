"""Which checkpoint an interrupted training goes on from."""

import os
import shutil

import pytest
import torch
from torch import nn

from inrn_mm.engine import find_last_checkpoint


def save(path):
    state = nn.Linear(1, 1).state_dict()
    torch.save(dict(state_dict=state, meta=dict(epoch=1, iter=1), message_hub={}), path)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


@pytest.fixture
def run(tmp_path):
    """A work_dir after three epochs."""
    for epoch in (1, 2, 3):
        save(tmp_path / f'epoch_{epoch}.pth')
    save(tmp_path / 'best_coco_bbox_mAP_epoch_9.pth')
    (tmp_path / 'last_checkpoint').write_text(str(tmp_path / 'epoch_3.pth'))
    return tmp_path


def test_resume_takes_the_last(run):
    assert find_last_checkpoint(run) == str(run / 'epoch_3.pth')


def test_unreadable_checkpoints_are_skipped(run):
    truncate(run / 'epoch_3.pth')
    assert find_last_checkpoint(run) == str(run / 'epoch_2.pth')


def flip(path):
    data = bytearray(path.read_bytes())
    data[data.index(b'weight')] ^= 1
    path.write_bytes(data)


def weights_only(path):
    torch.save(dict(state_dict=nn.Linear(1, 1).state_dict()), path)


@pytest.mark.parametrize(
    'damage',
    [
        flip,
        truncate,
        weights_only,
        lambda path: path.write_bytes(b''),
        lambda path: path.write_text('(lp0\nS"x"\n'),
        lambda path: path.write_bytes(b'\x80\x02' + bytes(range(256))),
        lambda path: torch.save([1], path),
        lambda path: torch.save(dict(meta={}, message_hub={}, state_dict={}), path),
    ],
)
def test_every_kind_of_damage_is_skipped(run, damage):
    damage(run / 'epoch_3.pth')
    assert find_last_checkpoint(run) == str(run / 'epoch_2.pth')


@pytest.mark.parametrize('kind', [TypeError, AttributeError, IndexError, ValueError, MemoryError])
def test_whatever_damage_raises(run, kind, monkeypatch):
    """In the format of before torch 1.6, which has no checksums."""
    content = torch.load(run / 'epoch_3.pth')
    torch.save(content, run / 'epoch_3.pth', _use_new_zipfile_serialization=False)
    load = torch.load

    def fail(file, *args, **kwargs):
        if file.name.endswith('epoch_3.pth'):
            raise kind('odd')
        return load(file, *args, **kwargs)

    monkeypatch.setattr(torch, 'load', fail)
    assert find_last_checkpoint(run) == str(run / 'epoch_2.pth')


def test_a_file_that_may_not_be_read_is_not_passed_over(run, monkeypatch):
    """It is the last one, and good: an older one would lose work."""
    path = run / 'epoch_3.pth'

    def fail(file, *args):
        raise PermissionError(13, 'Permission denied') if str(file) == str(path) else OSError(5)

    monkeypatch.setattr('builtins.open', fail)
    with pytest.raises(PermissionError, match=r'epoch_3.pth cannot be read \(Permission denied'):
        find_last_checkpoint(run)


def test_all_unreadable_is_an_error(run):
    for path in run.glob('epoch_*.pth'):
        truncate(path)
    with pytest.raises(RuntimeError, match='None of the 3 checkpoints'):
        find_last_checkpoint(run)


def test_moved_and_copied_run(run, tmp_path):
    copy = tmp_path / 'copy'
    shutil.copytree(run, copy, ignore=lambda *_: ['copy'])
    # the original is still there, and not meant
    assert find_last_checkpoint(copy) == str(copy / 'epoch_3.pth')


@pytest.mark.parametrize(
    'content', [b'', b'/gone/epoch_7.pth', b'\xff\xfe', b'a\0b', b'x' * 5000, b'\xed\xa0\x80']
)
def test_useless_pointer(run, content):
    (run / 'last_checkpoint').write_bytes(content)
    os.utime(run / 'epoch_3.pth', (2e9, 2e9))
    assert find_last_checkpoint(run) == str(run / 'epoch_3.pth')


def test_later_epochs_of_an_older_run_are_not_resumed(run):
    save(run / 'epoch_12.pth')
    truncate(run / 'epoch_3.pth')
    assert find_last_checkpoint(run) == str(run / 'epoch_2.pth')


def test_nothing_to_resume(tmp_path):
    assert find_last_checkpoint(tmp_path) is None
