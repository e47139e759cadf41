"""The demo's classification task: INRN-S distilled from a small ResNet."""

from dataclasses import asdict, replace
from pathlib import Path

from .classification_report import write_report
from .digits import DigitsSettings, make_digits
from .options import DemoOptions
from .steps import Steps
from .trainings import Model, estimate, train_and_test

# Model to (title, config to train, config to evaluate), of the configs the
# first part: configs/demo/{first part}_digits_demo.py.
MODELS = {
    'teacher': ('ResNet-18 teacher', 'resnet18', 'resnet18'),
    'student': ('INRN-S alone', 'inrn-s', 'inrn-s'),
    'distilled': ('INRN-S distilled', 'inrn-s_kd', 'inrn-s'),
}
DATA = DigitsSettings(train=200, size=16)
QUICK_DATA = replace(DATA, train=20, pool=64, val=50)

# See `estimate`.
SECONDS = {
    'data': (1, 0),
    'train_teacher': (3, 8),
    'train_student': (3, 16),
    'train_distilled': (3, 18),
    'test_teacher': (2, 0),
    'test_student': (2, 1),
    'test_distilled': (2, 1),
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
        StepFailed: If a step ended with an error.
    """
    estimated = estimate(SECONDS, QUICK_FACTOR if options.quick else 1)
    steps = Steps(work_dir, estimated, preload='tools.demo.preload_mmpretrain')
    steps.announce()

    data = replace(QUICK_DATA if options.quick else DATA, seed=options.seed)
    data_root = work_dir / 'data'
    steps.run(
        'data',
        make_digits,
        (data_root, data),
        made_from=asdict(data),
        products=[data_root / 'digits.json'],
        title='make the images',
    )
    models = {
        name: Model(title, *(root / f'configs/demo/{config}_digits_demo.py' for config in configs))
        for name, (title, *configs) in MODELS.items()
    }
    train_and_test(steps, models, options, root, {'INRN_DIGITS_ROOT': str(data_root)})
    return steps.report(
        write_report,
        models,
        options,
        estimated,
        made_from=dict(models=MODELS),
        after=[f'test_{name}' for name in MODELS],
    )
