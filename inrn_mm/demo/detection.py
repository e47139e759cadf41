"""The demo's detection task: INRN-M distilled from ResNet101-FPN."""
import re
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Dict, List, Tuple

from mmengine.config import Config

from inrn_mm.datasets.demo_coco import DemoCocoSettings, make_demo_coco

from .detection_report import write_report
from .options import DemoOptions
from .speed import slowness
from .steps import Steps, clock, say
from .worker import run_tool

# Model to (title, config to train, config to evaluate), of the configs the
# middle part: configs/demo/{detector}_{middle part}_demo.py. The distilled
# student is evaluated in the plain student's config.
MODELS = {
    'teacher': ('ResNet101-FPN teacher', 'r101', 'r101'),
    'student': ('INRN-M alone', 'inrn-m', 'inrn-m'),
    'distilled': ('INRN-M distilled', 'inrn-m_kd', 'inrn-m'),
}
DATA = DemoCocoSettings(train=512, val=100, size=128)
QUICK_DATA = replace(DATA, train=32, val=10)
QUICK_EPOCHS = 1

# Seconds of each step on the reference machine of speed.py, (start, work): the
# start is the same everywhere, the work shrinks on a faster machine.
SECONDS = {
    'data': (13, 2),
    'train_teacher': (3, 317),
    'train_student': (3, 64),
    'train_distilled': (3, 135),
    'test_teacher': (2, 6),
    'test_student': (2, 3),
    'test_distilled': (2, 3),
    'report': (4, 0),
}
MASK_FACTOR = 1.3
QUICK_FACTOR = 0.03
EPOCH_LINE = re.compile(r'Epoch\(train\)\s+\[(\d+)\]\[\s*(\d+)/\s*(\d+)\].*?'
                        r'\bloss: (\S+)')


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
    estimated = estimate(options)
    steps = Steps(work_dir, estimated)
    say(f'Estimated time: {clock(sum(estimated.values()))}, into {work_dir}/')

    data = replace(QUICK_DATA if options.quick else DATA, seed=options.seed)
    data_root = work_dir / 'data'
    environment = {'INRN_DEMO_ROOT': str(data_root)}
    steps.run(
        'data',
        make_demo_coco, (data_root, data),
        made_from=asdict(data),
        products=[data_root / 'annotations/instances_val2017.json'],
        title='make the images')

    for name, (title, _, _) in MODELS.items():
        argv, made_from = train_command(name, options, root, work_dir)
        epochs = QUICK_EPOCHS if options.quick else \
            Config.fromfile(argv[0]).train_cfg.max_epochs
        steps.run(
            f'train_{name}',
            run_tool,
            (root / 'tools/train.py', [*argv, '--resume'], environment),
            made_from=made_from,
            after=['data'] + ['train_teacher'] * (name == 'distilled'),
            products=[work_dir / name / 'last_checkpoint'],
            clean=[work_dir / name],
            watch=partial(training_progress, epochs=epochs),
            title=f'train {title}')

    for name, (title, _, config) in MODELS.items():
        predictions = work_dir / name / 'predictions.pkl'
        argv = [
            config_file(root, options, config),
            checkpoint(work_dir / name), '--work-dir',
            work_dir / name / 'test', '--out', predictions
        ]
        steps.run(
            f'test_{name}',
            run_tool, (root / 'tools/test.py', argv, environment),
            after=[f'train_{name}'],
            products=[predictions],
            clean=[work_dir / name / 'test'],
            title=f'evaluate {title}')

    report = work_dir / 'report.html'
    models = {
        name: (title, str(config_file(root, options, config)))
        for name, (title, _, config) in MODELS.items()
    }
    steps.run(
        'report',
        write_report,
        (work_dir, models, options, estimated, dict(steps.seconds)),
        made_from=dict(models=models),
        after=[f'test_{name}' for name in MODELS],
        products=[report],
        title='write the report')
    return report


def estimate(options: DemoOptions) -> Dict[str, float]:
    """Seconds that each step will take on this machine."""
    factor = slowness() * (MASK_FACTOR if options.mask else 1) * (
        QUICK_FACTOR if options.quick else 1)
    return {name: a + factor * b for name, (a, b) in SECONDS.items()}


def config_file(root: Path, options: DemoOptions, middle: str) -> Path:
    """Config of a model."""
    detector = 'mask-rcnn' if options.mask else 'faster-rcnn'
    return root / 'configs' / 'demo' / f'{detector}_{middle}_demo.py'


def checkpoint(folder: Path) -> Path:
    """The one checkpoint that a finished training leaves."""
    found = sorted(
        folder.glob('epoch_*.pth'), key=lambda p: int(p.stem.split('_')[1]))
    return found[-1]


def train_command(name: str, options: DemoOptions, root: Path,
                  work_dir: Path) -> Tuple[List, Dict]:
    """Arguments for ``tools/train.py``, and what they stand for."""
    config = config_file(root, options, MODELS[name][1])
    changes = [f'randomness.seed={options.seed}']
    if options.quick:
        changes += [
            f'train_cfg.max_epochs={QUICK_EPOCHS}',
            f'param_scheduler.1.T_max={QUICK_EPOCHS}',
            'default_hooks.logger.interval=2', 'log_processor.window_size=2'
        ]
    if name == 'distilled':
        changes.append('model.teacher_checkpoint='
                       f"{checkpoint(work_dir / 'teacher')}")
    argv = [config, '--work-dir', work_dir / name, '--cfg-options', *changes]
    sources = sorted((root / 'configs/demo').rglob('*.py'))
    return argv, dict(
        argv=list(map(str, argv[3:])),
        sources=[path.read_text() for path in sources])


def training_progress(log: str, epochs: int) -> Tuple[float, str]:
    """Share of a training that is done, from mmengine's log.

    Args:
        log (str): What the training has printed.
        epochs (int): How many it trains.

    Returns:
        tuple[float, str]: The share, and the state in a few words.
    """
    lines = EPOCH_LINE.findall(log)
    if not lines:
        return 0., 'starting'
    epoch, iteration, length = map(int, lines[-1][:3])
    share = (epoch - 1 + iteration / length) / epochs
    return share, f'epoch {epoch}/{epochs}, loss {lines[-1][3]}'
