import errno
import os
from types import SimpleNamespace

import pytest
import torch
from mmengine.fileio import get_file_backend
from mmengine.logging import MessageHub, MMLogger
from torch import nn

from inrn_mm.engine import AtomicCheckpointHook, find_last_checkpoint
from inrn_mm.engine.checkpoints.resuming import last_saved


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
            dict(
                state_dict=self.model.state_dict(),
                meta=dict(epoch=self.epoch, iter=self.iter),
                message_hub={},
            ),
            os.path.join(out_dir, filename),
            backend_args=backend_args,
        )


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


def test_full_disk(tmp_path, monkeypatch):
    """A sentence, the old file, and nothing half-written."""
    runner = FakeRunner(tmp_path, 'full')
    hook = AtomicCheckpointHook(interval=1, max_keep_ckpts=1)
    hook.before_train(runner)
    hook.after_train_epoch(runner)

    def full(_):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    runner.epoch = 1
    with pytest.raises(OSError, match=r'epoch_2.pth .* cannot be written: No space .*--resume'):
        hook.after_train_epoch(runner)
    assert not list(tmp_path.glob('.*.part'))
    assert find_last_checkpoint(tmp_path) == str(tmp_path / 'epoch_1.pth')


@pytest.mark.parametrize('metrics', [['a'], ['a', 'b']])
def test_the_best_goes_after_the_new_best_is_there(tmp_path, monkeypatch, metrics):
    runner = FakeRunner(tmp_path, f'best of {len(metrics)}')
    hook = AtomicCheckpointHook(interval=1, save_best=metrics, rule='greater')
    hook.before_train(runner)

    def validate(epoch, score):
        runner.epoch = epoch
        hook._save_best_checkpoint(runner, dict.fromkeys(metrics, score))

    def best():
        return sorted(path.name for path in tmp_path.glob('best_*'))

    validate(1, 0.5)
    first = [f'best_{metric}_epoch_1.pth' for metric in metrics]
    assert best() == first
    validate(2, 0.4)  # worse
    assert best() == first
    with monkeypatch.context() as patch:
        patch.setattr(os, 'replace', lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            validate(3, 0.6)
    assert best() == first
    validate(4, 0.7)
    assert best() == [f'best_{metric}_epoch_4.pth' for metric in metrics]


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
    (tmp_path / '.epoch_2.pth.part').write_bytes(b'of a killed process')

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


def test_best_checkpoint_of_a_copied_run_stays_where_it_is(tmp_path):
    name = 'best_coco_bbox_mAP_epoch_9.pth'
    copy = tmp_path / 'copy'
    copy.mkdir()
    for folder in (tmp_path, copy):
        torch.save({}, folder / name)
    runner = FakeRunner(copy, 'best')
    runner.message_hub.update_info('best_ckpt', str(tmp_path / name))
    hook = AtomicCheckpointHook(save_best='coco/bbox_mAP', rule='greater')
    hook.before_train(runner)
    assert hook.best_ckpt_path == str(copy / name)
