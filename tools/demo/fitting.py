"""The demo's fitting task: a photograph in the weights of three networks."""

import re
from pathlib import Path

from .fitting_report import write_report
from .options import DemoOptions
from .steps import Steps
from .worker import run_tool

# Method to title; the config is configs/fitting/{method}_image.py.
METHODS = {'inrn': 'INRN', 'inrn-plus': 'INRN with learned grids', 'siren': 'SIREN'}
SIZE = 128  # pixels a side
PARAMETERS = 30_000
SECONDS, QUICK_SECONDS = 20, 2  # of each training
PROGRESS = re.compile(r'Iter\(train\)\s+\[\s*(\d+)/\s*(\d+)\]')


def run(work_dir: Path, options: DemoOptions, root: Path) -> Path:
    """Run the task.

    Args:
        work_dir (Path): Folder of all products.
        options (DemoOptions): The user's.
        root (Path): Folder with ``configs/`` and ``tools/``.

    Returns:
        Path: The report.

    Raises:
        StepFailed: If a step ended with an error.
    """
    seconds = training_seconds(options)
    # importing and writing the products takes about four seconds
    estimated = dict(photo=1.0, **{f'fit_{name}': seconds + 4.0 for name in METHODS}, report=4.0)
    steps = Steps(work_dir, estimated)
    steps.announce()

    photo = work_dir / 'photo.png'
    steps.run(
        'photo',
        write_photo,
        (photo, SIZE),
        made_from=dict(size=SIZE),
        products=[photo],
        title='take the photograph',
    )
    commands: dict[str, list[str]] = {}
    for name, title in METHODS.items():
        folder = work_dir / name
        argv = fit_arguments(photo, root / f'configs/fitting/{name}_image.py', folder, options)
        commands[name] = ['python', 'tools/fit_image.py', *argv]
        steps.run(
            f'fit_{name}',
            run_tool,
            (root / 'tools/fit_image.py', [*argv, '--resume'], {}),
            made_from=dict(argv=argv),
            after=['photo'],
            products=[folder / 'fit.inrn', folder / 'metrics.json'],
            clean=[folder],
            watch=fitting_progress,
            title=f'fit {title}',
        )
    return steps.report(
        write_report,
        METHODS,
        options,
        commands,
        estimated,
        made_from=METHODS,
        after=[f'fit_{name}' for name in METHODS],
    )


def training_seconds(options: DemoOptions) -> int:
    """Tell how long each network trains."""
    return QUICK_SECONDS if options.quick else SECONDS


def fit_arguments(photo: Path, config: Path, folder: Path, options: DemoOptions) -> list[str]:
    """Make the command line of a fit.

    Args:
        photo (Path): The picture.
        config (Path): The method's config.
        folder (Path): The work_dir of this fit.
        options (DemoOptions): The user's.

    Returns:
        list[str]: Arguments of tools/fit_image.py.
    """
    argv = [photo, '--config', config, '--work-dir', folder]
    argv += ['--parameters', PARAMETERS, '--max-seconds', training_seconds(options)]
    argv += [
        '--cfg-options',
        f'randomness.seed={options.seed}',
        'train_cfg.val_interval=20',
        'default_hooks.logger.interval=10',
    ]
    return [str(argument) for argument in argv]


def write_photo(path: Path, size: int) -> None:
    """Write the photograph: Eileen Collins, by NASA, from scikit-image.

    Args:
        path (Path): File to write.
        size (int): Pixels a side.
    """
    import cv2
    from skimage import data

    from inrn_mm.fitting.files import write_image

    write_image(path, cv2.resize(data.astronaut(), (size, size), interpolation=cv2.INTER_AREA))


def fitting_progress(log: str) -> tuple[float, str]:
    """Read the share of a fit that is done, and its last PSNR, from the log."""
    steps = PROGRESS.findall(log)
    if not steps:
        return 0.0, 'starting'
    done, length = map(int, steps[-1])
    psnr = re.findall(r'\bpsnr: ([\d.]+)', log)
    words = f'step {done}' + (f', {float(psnr[-1]):.1f} dB' if psnr else '')
    return done / length, words
