"""Saving that survives a kill at any moment, and a full disk."""

from collections import deque
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.registry import HOOKS

from ..checkpoints.writing import PART


@HOOKS.register_module()
class AtomicCheckpointHook(CheckpointHook):
    """mmengine's hook without the moments in which a kill loses checkpoints.

    mmengine 0.10 writes straight into the final file, and deletes the best
    checkpoint, and with ``max_keep_ckpts`` the oldest, *before* it writes the
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
        if self.save_best:
            paths = {key: self._here(path) for key, path in self._best_paths().items()}
            self._set_best_paths(paths)

    def _here(self, path: str | None) -> str | None:
        return path and self.file_backend.join_path(self.out_dir, Path(path).name)

    def _save_best_checkpoint(self, runner, metrics) -> None:
        if not self.save_best:
            return
        old = self._best_paths()
        # the base class removes what these name before it writes the new one
        self._set_best_paths(dict.fromkeys(old))
        try:
            super()._save_best_checkpoint(runner, metrics)
        except BaseException:  # the new one is not there
            self._set_best_paths(old)
            raise
        new = {key: path or old[key] for key, path in self._best_paths().items()}
        self._set_best_paths(new)
        for key, path in old.items():
            if path and path != new[key]:
                self._remove(path)

    def _best_paths(self) -> dict[str, str | None]:
        """Find the path of the best checkpoint by each indicator."""
        if len(self.key_indicators) == 1:
            return dict(only=self.best_ckpt_path)
        return dict(self.best_ckpt_path_dict)

    def _set_best_paths(self, paths: dict[str, str | None]) -> None:
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = paths['only']
        else:
            self.best_ckpt_path_dict = paths

    def _remove(self, path: str) -> None:
        if not is_main_process():
            return
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):  # of deepspeed
            self.file_backend.rmtree(path)

    def _save_checkpoint_with_step(self, runner, step, meta) -> None:
        outdated: list[int] = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            kept = [*self.keep_ckpt_ids, step]
            outdated = kept[: -self.max_keep_ckpts]
            # the base class removes nothing when the last id is this step
            self.keep_ckpt_ids = deque(kept, self.max_keep_ckpts)
            runner.message_hub.update_info('keep_ckpt_ids', list(self.keep_ckpt_ids))
        super()._save_checkpoint_with_step(runner, step, meta)
        for old in outdated:
            self._remove(self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(old)))
