"""The values that mmengine logs into a work_dir."""

import json
from pathlib import Path


def find_logs(path: Path) -> list[Path]:
    """Find the files of logged values, one for each time a training was started.

    Args:
        path (Path): The work_dir, a folder of one start below it, or such a
            file itself.

    Returns:
        list[Path]: ``scalars.json`` files, oldest first; none if there is
        no log.
    """
    if path.is_file():
        return [path]
    return sorted({*path.glob('*/vis_data/scalars.json'), *path.glob('vis_data/scalars.json')})


def read_scalars(path: Path) -> tuple[list[dict], list[dict]]:
    """Read the logged values of a training, resumed ones included.

    Args:
        path (Path): Its work_dir, or else, see :func:`find_logs`.

    Returns:
        tuple[list[dict], list[dict]]: For training, lines with ``iter``,
        ``iterations`` (since the line before), ``time`` (seconds of one
        iteration) and ``losses`` (name to value, without the sum); of
        validation, lines with ``iter``, ``step`` (epoch, or iteration) and
        the metrics. Where a run was resumed, the later log counts. Logs
        without a loss are those of tests and left out.
    """
    train: dict[int, dict] = {}
    val: dict[int, dict] = {}
    for file in find_logs(path):
        new_train, new_val = _read(file)
        for lines, new in (train, new_train), (val, new_val):
            if new_train and new:
                # what was repeated, and what the earlier start did beyond
                for step in [step for step in lines if step >= min(new)]:
                    del lines[step]
                lines.update(new)
    lines = [train[i] for i in sorted(train)]
    for before, line in zip([dict(iter=0), *lines], lines):
        line['iterations'] = line['iter'] - before['iter']
    return lines, [val[i] for i in sorted(val)]


def _read(file: Path) -> tuple[dict[int, dict], dict[int, dict]]:
    """Read the lines of training and of validation in one file, by their step."""
    train, val = {}, {}
    last = 0
    for text in file.read_text().splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # cut off by a kill
            continue
        if 'loss' in line:
            last = line['iter'] = line.pop('step')
            line['losses'] = {k: v for k, v in line.items() if k.startswith('loss_')}
            train[last] = line
        else:  # its step is an epoch
            val[line['step']] = dict(line, iter=last)
    return train, val


def read_metrics(work_dir: Path) -> dict[str, float]:
    """Read what ``tools/test.py`` has measured.

    Args:
        work_dir (Path): Folder of the test.

    Returns:
        dict[str, float]: Metrics of the last evaluation; none if there is no
        readable one.
    """
    for file in sorted(work_dir.glob('*/*.json'), reverse=True):
        try:
            return json.loads(file.read_text().splitlines()[-1])
        except (ValueError, IndexError):
            continue
    return {}
