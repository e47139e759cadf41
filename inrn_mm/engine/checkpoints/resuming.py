"""Where an interrupted training goes on."""

import logging
import os
import re
from pathlib import Path

from mmengine.logging import print_log

from .files import DamagedCheckpointError, unreadable
from .reading import load_state


def find_last_checkpoint(work_dir: str | Path, allow_pickle: bool = False) -> str | None:
    """Find the checkpoint to resume from: the last one that is whole.

    Args:
        work_dir (str | Path): Folder of the interrupted run; it may have been
            moved since.
        allow_pickle (bool): See :func:`load_state`. Defaults to False.

    Returns:
        str, optional: Its path, or None if the folder has no checkpoint.

    Raises:
        RuntimeError: If there are checkpoints, but none can be resumed.
        OSError: If the system does not let one be read, which may be the last.
    """
    candidates = _candidates(Path(work_dir))
    for path in candidates:
        try:
            missing = find_unresumable(load_state(path, allow_pickle=allow_pickle))
        except DamagedCheckpointError as error:
            print_log(f'Skipped when resuming: {error}', 'current', logging.WARNING)
            continue
        if not missing:
            return str(path)
        print_log(
            f'Skipped when resuming: {path} has no {missing}, it holds weights only.',
            'current',
            logging.WARNING,
        )
    if candidates:
        raise RuntimeError(
            f'None of the {len(candidates)} checkpoints in {work_dir} can be '
            'resumed: start again in another --work-dir, or without --resume.'
        )
    return None


def last_saved(work_dir: str | Path) -> str | None:
    """Find the newest checkpoint in a work_dir, unopened; None without one."""
    candidates = _candidates(Path(work_dir))
    return str(candidates[0]) if candidates else None


def find_unresumable(checkpoint: dict) -> str | None:
    """Find what a checkpoint lacks for a training to go on from it.

    Args:
        checkpoint (dict): A file's content.

    Returns:
        str, optional: The missing part's name; None if all is there.
    """
    meta = checkpoint.get('meta') or {}
    for part in ('meta', 'message_hub', 'state_dict'):
        if not isinstance(checkpoint.get(part), dict):
            return part
    return next((f"meta['{key}']" for key in ('epoch', 'iter') if key not in meta), None)


def _candidates(work_dir: Path) -> list[Path]:
    """List resumable files, best first: the one that ``last_checkpoint`` names,
    then earlier ones (those with a higher number are of another run)."""
    numbered = {
        path: int(path.stem.split('_')[1])
        for path in work_dir.glob('*.pth')
        if re.fullmatch(r'(epoch|iter)_\d+', path.stem)
    }
    named = _pointed(work_dir / 'last_checkpoint')
    for last in (work_dir / named.name, named):
        if os.path.isfile(last):  # a Path would raise for odd names
            limit = numbered.get(last, float('inf'))
            earlier = [path for path in numbered if numbered[path] < limit]
            return [last, *sorted(earlier, key=lambda path: numbered[path], reverse=True)]
    return sorted(numbered, key=lambda path: path.stat().st_mtime, reverse=True)


def _pointed(pointer: Path) -> Path:
    """Read what ``last_checkpoint`` names; nothing that exists if it is damaged."""
    try:
        return Path(pointer.read_bytes().decode().strip())
    except (FileNotFoundError, UnicodeDecodeError):
        return Path()
    except OSError as error:
        raise unreadable(pointer, error) from None
