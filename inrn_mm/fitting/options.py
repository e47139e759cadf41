"""What a user may ask of a fit: the fields make the tools' arguments.

Imports the standard library alone: the tools load this file by itself to show
their help at once.
"""

from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any

# Of a fit that goes on these may change: its length, and what is written.
CHANGEABLE = ('max_seconds', 'target_psnr', 'bits', 'save_frames')
# How a fit is run, not what it is.
RUNNING = ('work_dir', 'resume', 'force', 'allow_pickle', 'launcher')
# Arguments of load_signal.
INPUT = ('size', 'crop', 'frames', 'stride')


def option(default: Any, help: str, **argument) -> Any:
    """Make a field of :class:`FitJob`.

    Args:
        default (Any): Its default.
        help (str): What it is, shown by ``--help``.
        **argument: What else ``argparse`` is to know.
    """
    return field(default=default, metadata=dict(argument, help=help))


@dataclass
class FitJob:
    """What a user asks of ``tools/fit_image.py`` or ``fit_video.py``.

    Args:
        input (str): An image, a folder of frames or a video.
        config (str): Config file.
        **options: The fields below, see their help.
    """

    input: str
    config: str
    work_dir: str | None = option(
        None, 'folder for all products (default: work_dirs/ and the names of config and input)'
    )
    size: Sequence[int] | None = option(
        None, 'resize to this height and width first', type=int, nargs=2, metavar=('H', 'W')
    )
    crop: Sequence[int] | None = option(
        None,
        'take this part, before resizing',
        type=int,
        nargs=4,
        metavar=('TOP', 'LEFT', 'H', 'W'),
    )
    frames: int | None = option(None, 'take the first N frames', type=int, metavar='N')
    stride: int = option(1, 'take every Nth frame', type=int, metavar='N')
    parameters: int | None = option(
        None, "scale the network's widths to about N parameters", type=int, metavar='N'
    )
    max_seconds: float | None = option(
        None,
        'train so long, with the schedule spread over it; evaluation does not count',
        type=float,
    )
    target_psnr: float | None = option(
        None, 'end when an evaluation reaches this', type=float, metavar='DB'
    )
    bits: int = option(
        8,
        'bits of a weight in the compact file: 2 to 8, 16, or 32 for exact (default: 8)',
        type=int,
    )
    prune: float | None = option(
        None,
        'set this share of the weights to zero after three quarters of the training',
        type=float,
        metavar='SHARE',
    )
    save_frames: bool = option(
        False,
        'write the fitted frames as PNG instead of one mp4, which is not exact',
        action='store_true',
    )
    resume: str | None = option(
        None,
        'go on from this checkpoint; without a name, from the last readable one of the work_dir',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
    )
    force: bool = option(
        False, 'begin anew over earlier products and checkpoints', action='store_true'
    )
    amp: bool = option(
        False,
        'mixed precision; without a GPU in bfloat16, for CPUs with units for it',
        action='store_true',
    )
    cfg_options: dict | None = option(
        None,
        'override entries of the config, e.g. train_cfg.max_iters=2000 model.tile=256',
        nargs='+',
        metavar='KEY=VALUE',
    )
    allow_pickle: bool = option(
        False,
        'load checkpoints that can run any code while loading: only for files you trust',
        action='store_true',
    )
    launcher: str = 'none'

    def __post_init__(self) -> None:
        if self.work_dir is None:
            name = f'{Path(self.config).stem}_{Path(self.input).stem}'
            self.work_dir = str(Path('work_dirs', name))

    def input_options(self) -> dict[str, Any]:
        """Collect the arguments of :func:`load_signal` that are not its defaults.

        Returns:
            dict[str, Any]: Some of ``size``, ``crop``, ``frames`` and
            ``stride``.
        """
        asked = {f.name: getattr(self, f.name) for f in fields(self) if f.name in INPUT}
        return {
            name: v for name, v in asked.items() if v is not None and (name, v) != ('stride', 1)
        }


def arguments() -> list[Field]:
    """List the fields that are arguments with a dash.

    Returns:
        list[Field]: Those made by :func:`option`.
    """
    return [f for f in fields(FitJob) if 'help' in f.metadata]


def settings() -> list[str]:
    """Name what makes two fits the same: another value is another fit.

    Returns:
        list[str]: Names of fields.
    """
    return [f.name for f in fields(FitJob) if f.name not in RUNNING]
