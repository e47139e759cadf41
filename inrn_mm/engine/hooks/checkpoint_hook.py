"""Saving that survives a kill at any moment, and resuming after one."""

import logging
import os
import re
from collections import deque
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.logging import print_log
from mmengine.registry import HOOKS

from ..checkpoints.reading import load_state

PART = '.part'


@register_backend('atomic')
class AtomicBackend(LocalBackend):
    """Local files that appear under their name only when complete."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write to a hidden file beside ``filepath``, then rename it.

        Args:
            obj (bytes): What to write.
            filepath (str | Path): Of the file; its folder is made.
        """
        path = Path(filepath)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f'.{path.name}{PART}')
        with open(part, 'wb') as file:
            file.write(obj)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's hook without the moments in which a kill loses checkpoints.

    mmengine 0.10 writes straight into the final file, and with
    ``max_keep_ckpts`` deletes the oldest checkpoint *before* it writes the
    new one. A work_dir may also be moved or copied between runs.

    Args:
        See :class:`mmengine.hooks.CheckpointHook`.
    """

    def before_train(self, runner) -> None:
        """Choose the backend and clean up after a killed run."""
        out_dir = str(self.out_dir or runner.work_dir)
        local = '://' not in out_dir and self.file_client_args is None
        if local and self.backend_args is None:
            self.backend_args = dict(backend='atomic')
        super().before_train(runner)
        if local and is_main_process():
            for part in Path(self.out_dir).glob(f'.*{PART}'):
                part.unlink()
        self._adopt_best()

    def _adopt_best(self) -> None:
        """Look for the best checkpoint in this work_dir, not in the one that
        the resumed checkpoint was written in (which may be a copy's origin).
        """
        if self.save_best is None:
            return
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = self._here(self.best_ckpt_path)
        else:
            self.best_ckpt_path_dict = {
                key: self._here(path) for key, path in self.best_ckpt_path_dict.items()
            }

    def _here(self, path: str | None) -> str | None:
        return path and self.file_backend.join_path(self.out_dir, Path(path).name)

    def _save_checkpoint_with_step(self, runner, step, meta) -> None:
        outdated: list[int] = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            kept = [*self.keep_ckpt_ids, step]
            outdated = kept[: -self.max_keep_ckpts]
            # the base class removes nothing when the last id is this step
            self.keep_ckpt_ids = deque(kept, self.max_keep_ckpts)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        super()._save_checkpoint_with_step(runner, step, meta)
        if is_main_process():
            for old in outdated:
                path = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old))
                if self.file_backend.isfile(path):
                    self.file_backend.remove(path)


def find_last_checkpoint(work_dir: str | Path, allow_pickle: bool = False) -> str | None:
    """The checkpoint to resume from: the last one that can be read.

    Args:
        work_dir (str | Path): Folder of the interrupted run; it may have been
            moved since.
        allow_pickle (bool): See :func:`load_state`. Defaults to False.

    Returns:
        str, optional: Its path, or None if the folder has no checkpoint.

    Raises:
        RuntimeError: If there are checkpoints, but none can be read.
    """
    candidates = _candidates(Path(work_dir))
    for path in candidates:
        try:
            load_state(path, allow_pickle=allow_pickle)
            return str(path)
        except RuntimeError as error:
            print_log(f'Skipped when resuming: {error}', 'current', logging.WARNING)
    if candidates:
        raise RuntimeError(
            f'None of the {len(candidates)} checkpoints in {work_dir} can be '
            'read: start again in another --work-dir, or without --resume.'
        )
    return None


def last_saved(work_dir: str | Path) -> str | None:
    """The newest checkpoint in a work_dir, unopened; None without one."""
    candidates = _candidates(Path(work_dir))
    return str(candidates[0]) if candidates else None


def _candidates(work_dir: Path) -> list[Path]:
    """Resumable files, best first: the one that ``last_checkpoint`` names,
    then earlier ones (those with a higher number are of another run)."""
    numbered = {
        path: int(path.stem.split('_')[1])
        for path in work_dir.glob('*.pth')
        if re.fullmatch(r'(epoch|iter)_\d+', path.stem)
    }
    pointer = work_dir / 'last_checkpoint'
    named = Path(pointer.read_text().strip()) if pointer.is_file() else Path()
    for last in (work_dir / named.name, named):
        if last.is_file():
            limit = numbered.get(last, float('inf'))
            earlier = [path for path in numbered if numbered[path] < limit]
            return [last, *sorted(earlier, key=numbered.get, reverse=True)]
    return sorted(numbered, key=lambda path: path.stat().st_mtime, reverse=True)
