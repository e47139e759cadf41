"""Which fault in the data has ended a run."""

import traceback

from ...utils.user_error import raised_here
from .whole import check_config

SECONDS = 60.0  # for the images of each set
TOOL = 'python tools/analysis_tools/check_dataset.py CONFIG'
# what a traceback has in it where reading data failed
READERS = (
    'full_init',
    'load_data_list',
    'DataLoader worker',
    'pycocotools',
    'coco_metric',
    '/datasets/',
    '/mmcv/transforms/',
    'imfrombytes',
)


def explain_failure(cfg, loaders: list[str], error: Exception) -> str | None:
    """Look for the fault in the data that has ended a run.

    Args:
        cfg (Config): The config that was run.
        loaders (list[str]): Its dataloaders.
        error (Exception): What was raised.

    Returns:
        str | None: A sentence for the user; None if the error says what is
        wrong by itself, or the data are not to blame.
    """
    text = ''.join(traceback.format_exception(error))
    if raised_here(error) or not any(reader in text for reader in READERS):
        return None
    kinds = [loader.removesuffix('_dataloader') for loader in loaders]
    found, _ = check_config(cfg, kinds, decode=True, seconds=SECONDS, network=False)
    fatal = found.of('fatal')
    if not fatal:
        return None
    return f'{" ".join(f.sentence() for f in fatal[:3])} {TOOL} lists all that is wrong.'
