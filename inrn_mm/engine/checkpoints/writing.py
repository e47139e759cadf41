"""Writing a file whole or not at all."""

import contextlib
import os
from pathlib import Path

from mmengine.fileio import LocalBackend, register_backend

PART = '.part'


@register_backend('atomic')
class AtomicBackend(LocalBackend):
    """Local files that appear under their name only when complete."""

    def put(self, obj: bytes, filepath: str | Path) -> None:
        """Write to a hidden file beside ``filepath``, then rename it.

        Args:
            obj (bytes): What to write.
            filepath (str | Path): The file; its folder is made.

        Raises:
            OSError: If it cannot be written; then what was there is as it was.
        """
        path = Path(filepath)
        part = path.with_name(f'.{path.name}{PART}')
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(part, 'wb') as file:
                file.write(obj)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            reason = error.strerror or error
            raise type(error)(
                f'{path} ({len(obj) / 1e6:.1f} MB) cannot be written: {reason}. What was '
                'saved before is still there: make room or give another folder, '
                'and go on (a training by --resume).'
            ) from error
        finally:  # after a failure, or an interruption
            with contextlib.suppress(OSError):
                part.unlink()
