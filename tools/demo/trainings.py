"""Teacher, student alone and student distilled: trained and evaluated."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mmengine.config import Config

from .options import DemoOptions
from .speed import slowness
from .steps import Steps
from .worker import run_tool

QUICK_EPOCHS = 1
# Trainings that need another one before.
BEFORE = dict(distilled='train_teacher', pretrained='pretrain')
EPOCH_LINE = re.compile(
    r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/\s*(\d+)\].*?'
    r'\bloss: (\S+)'
)


@dataclass(frozen=True)
class Model:
    """A network of a demo.

    Args:
        title (str): Shown to the user.
        config (Path): What it is trained with.
        plain (Path): What it is evaluated with; of a distilled student the
            plain student's config.
    """

    title: str
    config: Path
    plain: Path


def estimate(seconds: dict[str, tuple[float, float]], factor: float = 1.0) -> dict[str, float]:
    """Estimate the seconds that each step will take on this machine.

    Args:
        seconds (dict[str, tuple]): Times of each step on the reference machine of
            :mod:`.speed`, (start, work): the start is the same everywhere,
            the work shrinks on a faster machine.
        factor (float): Factor of the work. Defaults to 1.
    """
    factor *= slowness()
    return {name: a + factor * b for name, (a, b) in seconds.items()}


def train_and_test(
    steps: Steps,
    models: dict[str, Model],
    options: DemoOptions,
    root: Path,
    environment: dict[str, str],
) -> None:
    """Run the steps ``train_{name}`` and ``test_{name}`` of all models.

    They come after a step ``data``; each model has its folder below the
    work_dir, with the evaluation in ``test/`` and ``predictions.pkl``.

    Args:
        steps (Steps): Runs them.
        models (dict[str, Model]): By name; the one called ``distilled``
            learns from the one called ``teacher``, and ``pretrained`` begins
            with the weights of a step ``pretrain``.
        options (DemoOptions): The user's.
        root (Path): Folder with ``configs/`` and ``tools/``.
        environment (dict[str, str]): Variables that the configs read.

    Raises:
        StepFailed: If a step ended with an error.
    """
    for name, model in models.items():
        folder = steps.work_dir / name
        changes = train_changes(name, options, steps.work_dir)
        argv = [model.config, '--work-dir', folder, '--cfg-options', *changes, '--resume']
        epochs = (
            QUICK_EPOCHS if options.quick else Config.fromfile(model.config).train_cfg.max_epochs
        )
        steps.run(
            f'train_{name}',
            run_tool,
            (root / 'tools/train.py', argv, environment),
            made_from=dict(changes=changes, sources=config_sources(root)),
            after=['data', *([BEFORE[name]] if name in BEFORE else [])],
            products=[folder / 'last_checkpoint'],
            clean=[folder],
            watch=partial(training_progress, epochs=epochs),
            title=f'train {model.title}',
        )

    for name, model in models.items():
        folder = steps.work_dir / name
        predictions = folder / 'predictions.pkl'
        argv = [model.plain, checkpoint(folder), '--work-dir', folder / 'test']
        argv += ['--out', predictions]
        steps.run(
            f'test_{name}',
            run_tool,
            (root / 'tools/test.py', argv, environment),
            after=[f'train_{name}'],
            products=[predictions],
            clean=[folder / 'test'],
            title=f'evaluate {model.title}',
        )


def train_changes(name: str, options: DemoOptions, work_dir: Path) -> list[str]:
    """List the ``--cfg-options`` of a training.

    Args:
        name (str): Name of the model.
        options (DemoOptions): The user's.
        work_dir (Path): The demo's folder, where the distilled one finds its
            teacher and the pretrained one its weights.

    Returns:
        list[str]: ``KEY=VALUE`` each.
    """
    changes = [f'randomness.seed={options.seed}']
    if options.quick:
        changes += [
            f'train_cfg.max_epochs={QUICK_EPOCHS}',
            f'param_scheduler.1.T_max={QUICK_EPOCHS}',
            'default_hooks.logger.interval=2',
            'log_processor.window_size=2',
        ]
    if name == 'distilled':
        changes.append(f'model.teacher_checkpoint={checkpoint(work_dir / "teacher")}')
    if name == 'pretrained':
        init = dict(
            type='Pretrained', checkpoint=checkpoint(work_dir / 'pretrain'), prefix='backbone.'
        )
        changes += [f'model.backbone.init_cfg.{key}={value}' for key, value in init.items()]
    return changes


def config_sources(root: Path) -> list[str]:
    """Read the texts of all demo configs: another one is another training."""
    return [p.read_text() for p in sorted((root / 'configs/demo').rglob('*.py'))]


def checkpoint(folder: Path) -> Path:
    """Find the one checkpoint that a finished training leaves."""
    found = sorted(folder.glob('epoch_*.pth'), key=lambda p: int(p.stem.split('_')[1]))
    return found[-1]


def training_progress(log: str, epochs: int) -> tuple[float, str]:
    """Read the share of a training that is done, from mmengine's log.

    Args:
        log (str): What the training has printed.
        epochs (int): How many it trains.

    Returns:
        tuple[float, str]: The share, and the state in a few words.
    """
    lines: Sequence[tuple[str, ...]] = EPOCH_LINE.findall(log)
    if not lines:
        return 0.0, 'starting'
    epoch, iteration, length = map(int, lines[-1][:3])
    share = (epoch - 1 + iteration / length) / epochs
    return share, f'epoch {epoch}/{epochs}, loss {lines[-1][3]}'
