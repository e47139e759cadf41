"""The demo's detection task: INRN-M distilled from ResNet101-FPN."""

from dataclasses import asdict, replace
from pathlib import Path

from .coco import make_demo_coco
from .coco_sources import DemoCocoSettings
from .detection_report import write_report
from .options import DemoOptions
from .steps import Steps
from .trainings import Model, estimate, train_and_test

# Model to (title, config to train, config to evaluate), of the configs the
# middle part: configs/demo/{detector}_{middle part}_demo.py. The distilled
# student is evaluated in the plain student's config.
MODELS = {
    'teacher': ('ResNet101-FPN teacher', 'r101', 'r101'),
    'student': ('INRN-M alone', 'inrn-m', 'inrn-m'),
    'distilled': ('INRN-M distilled', 'inrn-m_kd', 'inrn-m'),
}
DATA = DemoCocoSettings(train=448, val=100, size=128)
QUICK_DATA = replace(DATA, train=32, val=10)

# See `estimate`.
SECONDS = {
    'data': (13, 2),
    'train_teacher': (3, 277),
    'train_student': (3, 56),
    'train_distilled': (3, 118),
    'test_teacher': (2, 6),
    'test_student': (2, 3),
    'test_distilled': (2, 3),
    'report': (4, 0),
}
MASK_FACTOR = 1.3
QUICK_FACTOR = 0.03


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
    estimated = estimate(
        SECONDS, (MASK_FACTOR if options.mask else 1) * (QUICK_FACTOR if options.quick else 1)
    )
    steps = Steps(work_dir, estimated, preload='tools.demo.preload_mmdet')
    steps.announce()

    data = replace(QUICK_DATA if options.quick else DATA, seed=options.seed)
    data_root = work_dir / 'data'
    steps.run(
        'data',
        make_demo_coco,
        (data_root, data),
        made_from=asdict(data),
        products=[data_root / 'annotations/instances_val2017.json'],
        title='make the images',
    )
    models = {
        name: Model(title, config_file(root, options, config), config_file(root, options, plain))
        for name, (title, config, plain) in MODELS.items()
    }
    train_and_test(steps, models, options, root, {'INRN_DEMO_ROOT': str(data_root)})
    return steps.report(
        write_report,
        models,
        options,
        estimated,
        made_from=dict(models=MODELS),
        after=[f'test_{name}' for name in MODELS],
    )


def config_file(root: Path, options: DemoOptions, middle: str) -> Path:
    """Find the config of a model.

    Args:
        root (Path): Folder with ``configs/``.
        options (DemoOptions): Whose ``mask`` chooses the detector.
        middle (str): Student, or student and method: ``'inrn-m_kd'``.

    Returns:
        Path: The config.
    """
    detector = 'mask-rcnn' if options.mask else 'faster-rcnn'
    return root / 'configs' / 'demo' / f'{detector}_{middle}_demo.py'
