"""What mmengine's logger leaves in a work_dir."""
import json
from pathlib import Path
from typing import Dict, List, Tuple


def read_scalars(work_dir: Path) -> Tuple[List[dict], List[dict]]:
    """Read the logged values of a training, resumed ones included.

    Args:
        work_dir (Path): Of the training.

    Returns:
        tuple[list[dict], list[dict]]: Of training, lines with ``iter``,
        ``iterations`` (since the line before), ``time`` (seconds of one
        iteration) and ``losses`` (name to value, without the sum); of
        validation, lines with ``iter`` and the metrics. Where a run was
        resumed, what it repeated counts once.
    """
    train: Dict[int, dict] = {}
    val: Dict[int, dict] = {}
    for file in sorted(work_dir.glob('*/vis_data/scalars.json')):
        last = 0
        for text in file.read_text().splitlines():
            try:
                line = json.loads(text)
            except ValueError:  # cut off by a kill
                continue
            if 'loss' in line:
                last = line['iter'] = line.pop('step')
                line['losses'] = {
                    k: v
                    for k, v in line.items() if k.startswith('loss_')
                }
                train[last] = line
            else:  # its step is an epoch
                val[line['step']] = dict(line, iter=last)
    lines = [train[i] for i in sorted(train)]
    for before, line in zip([dict(iter=0), *lines], lines):
        line['iterations'] = line['iter'] - before['iter']
    return lines, [val[i] for i in sorted(val)]


def read_metrics(work_dir: Path) -> Dict[str, float]:
    """Metrics of the last evaluation in a work_dir of ``tools/test.py``."""
    for file in sorted(work_dir.glob('*/*.json'), reverse=True):
        try:
            return json.loads(file.read_text().splitlines()[-1])
        except (ValueError, IndexError):
            continue
    return {}
