import os
import shutil
from types import SimpleNamespace

import pytest
import torch
from mmengine.fileio import get_file_backend
from mmengine.logging import MessageHub, MMLogger
from torch import nn

from inrn_mm.engine import AtomicCheckpointHook, find_last_checkpoint
from inrn_mm.engine.hooks.checkpoint_hook import last_saved


class FakeRunner(SimpleNamespace):
    """As much of a runner as saving a checkpoint needs."""

    def __init__(self, work_dir, name):
        super().__init__(
            work_dir=str(work_dir),
            message_hub=MessageHub.get_instance(name),
            logger=MMLogger.get_instance(name),
            model=nn.Linear(1, 1),
            epoch=0,
            iter=0,
        )

    def save_checkpoint(self, out_dir, filename, *_, backend_args=None, **__):
        from mmengine.runner.checkpoint import save_checkpoint

        save_checkpoint(
            dict(state_dict=self.model.state_dict()),
            os.path.join(out_dir, filename),
            backend_args=backend_args,
        )


def save(path):
    torch.save(dict(state_dict=nn.Linear(1, 1).state_dict()), path)


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


def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    backend = get_file_backend(backend_args=dict(backend='atomic'))
    path = tmp_path / 'folder' / 'a.pth'
    backend.put(b'old', path)

    def fail(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'fsync', fail)
    with pytest.raises(KeyboardInterrupt):
        backend.put(b'new', path)
    assert path.read_bytes() == b'old'


def test_old_checkpoint_goes_after_the_new_one_is_there(tmp_path, monkeypatch):
    runner = FakeRunner(tmp_path, 'keep_one')
    hook = AtomicCheckpointHook(interval=1, max_keep_ckpts=1)
    hook.before_train(runner)
    hook.after_train_epoch(runner)
    assert last_saved(tmp_path) == str(tmp_path / 'epoch_1.pth')

    runner.epoch = 1
    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            hook.after_train_epoch(runner)
    assert find_last_checkpoint(tmp_path) == str(tmp_path / 'epoch_1.pth')
    assert list(tmp_path.glob('.*.part'))

    # as the resumed checkpoint has it
    runner.message_hub.update_info('keep_ckpt_ids', [1])
    hook = AtomicCheckpointHook(interval=1, max_keep_ckpts=1)
    hook.before_train(runner)
    assert not list(tmp_path.glob('.*.part'))
    hook.after_train_epoch(runner)
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_2.pth']


def test_saving_the_same_epoch_twice_keeps_it(tmp_path):
    # mmengine saves again after a new best checkpoint
    runner = FakeRunner(tmp_path, 'keep_two')
    hook = AtomicCheckpointHook(interval=1, max_keep_ckpts=2)
    hook.before_train(runner)
    for epoch in (0, 0, 1, 1, 2, 2):
        runner.epoch = epoch
        hook.after_train_epoch(runner)
    names = sorted(path.name for path in tmp_path.glob('*.pth'))
    assert names == ['epoch_2.pth', 'epoch_3.pth']


def test_best_checkpoint_of_a_copied_run_stays_where_it_is(run, tmp_path):
    copy = tmp_path / 'copy'
    copy.mkdir()
    runner = FakeRunner(copy, 'best')
    best = run / 'best_coco_bbox_mAP_epoch_9.pth'
    runner.message_hub.update_info('best_ckpt', str(best))
    hook = AtomicCheckpointHook(save_best='coco/bbox_mAP', rule='greater')
    hook.before_train(runner)
    assert hook.best_ckpt_path == str(copy / best.name)


def test_resume_takes_the_last(run):
    assert find_last_checkpoint(run) == str(run / 'epoch_3.pth')


def test_unreadable_checkpoints_are_skipped(run):
    truncate(run / 'epoch_3.pth')
    assert find_last_checkpoint(run) == str(run / 'epoch_2.pth')


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


@pytest.mark.parametrize('content', ['', '/gone/epoch_7.pth'])
def test_useless_pointer(run, content):
    (run / 'last_checkpoint').write_text(content)
    os.utime(run / 'epoch_3.pth', (2e9, 2e9))
    assert find_last_checkpoint(run) == str(run / 'epoch_3.pth')


def test_later_epochs_of_an_older_run_are_not_resumed(run):
    save(run / 'epoch_12.pth')
    truncate(run / 'epoch_3.pth')
    assert find_last_checkpoint(run) == str(run / 'epoch_2.pth')


def test_nothing_to_resume(tmp_path):
    assert find_last_checkpoint(tmp_path) is None
