"""What pretraining without labels gains on a part of CIFAR-100, over random weights.

For each seed INRN-S is pretrained under EfficientNet-Lite0 on images of some classes
without their labels, then trained on a tenth of them with labels; beside it the same
network is trained on that tenth from random weights, for the epochs that take as long
as both; and the pretrained one for these epochs, too, which takes longer. Accuracies
are those of the last epoch on the test images.

Example:
    python tools/model_converters/efficientnet_lite.py work_dirs/efficientnet-lite0.pth
    python -m tools.studies.pretraining_gain --work-dir work_dirs/gain --seeds 0 1 2
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config

from inrn_mm.utils.whole_file import whole_file

from .markdown_table import markdown_table

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
PRETRAIN = CONFIGS / 'pretrain/inrn-s_from-efficientnet-lite0_cifar100.py'
TRAIN = CONFIGS / 'classification/inrn-s_cifar100.py'
ARMS = dict(
    pretrained='pretrained, in the same time',
    scratch='random weights',
    longer='pretrained, as many epochs with labels',
)
# a training step under the teacher, as one without, on a CPU
COST = 1.4
STUDENT_T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # 97.5 %, by the number of seeds


def short_schedule(cfg: Config, epochs: int) -> None:
    """Train for a few epochs of AdamW with one of warm-up, all arms alike."""
    cfg.train_cfg = dict(by_epoch=True, max_epochs=epochs, val_interval=epochs)
    cfg.optim_wrapper = dict(
        type='AmpOptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05)
    )
    line = dict(by_epoch=True, convert_to_iter_based=True)
    cfg.param_scheduler = [
        dict(type='LinearLR', start_factor=0.01, begin=0, end=1, **line),
        dict(type='CosineAnnealingLR', T_max=max(epochs - 1, 1), begin=1, end=epochs, **line),
    ][:epochs]
    cfg.default_hooks.checkpoint = dict(type='AtomicCheckpointHook', interval=epochs)
    cfg.default_hooks.logger = dict(type='LoggerHook', interval=20)


def choose_data(cfg: Config, classes: Sequence[str], train: Sequence[int], test: int) -> None:
    """Take images of some classes."""
    for name, indices in (('train', train), ('val', test), ('test', test)):
        loader = cfg[f'{name}_dataloader']
        loader.dataset.metainfo = dict(classes=list(classes))
        loader.dataset.indices = indices


def pretraining(args: argparse.Namespace, classes: Sequence[str]) -> Config:
    """Make the config of the pretraining."""
    cfg = Config.fromfile(PRETRAIN)
    choose_data(cfg, classes, args.images, args.test)
    short_schedule(cfg, args.pretrain_epochs)
    cfg.model.teacher.checkpoint = str(args.teacher)
    cfg.train_dataloader.batch_size = args.batch_size
    return cfg


def training(
    args: argparse.Namespace, classes: Sequence[str], seed: int, arm: str, weights: Path
) -> Config:
    """Make the config of a training on the labelled tenth."""
    cfg = Config.fromfile(TRAIN)
    count = args.images // 10
    # other images for each seed, of those that were seen without labels
    first = seed % 10 * count
    choose_data(cfg, classes, list(range(first, first + count)), args.test)
    epochs = args.epochs
    if arm != 'pretrained':
        epochs += round(COST * args.pretrain_epochs * args.images / count)
    if arm != 'scratch':
        cfg.model.backbone.init_cfg = dict(
            type='Pretrained', checkpoint=str(weights), prefix='backbone.'
        )
    short_schedule(cfg, epochs)
    cfg.model.head.update(num_classes=len(classes), topk=(1,))
    cfg.data_preprocessor.num_classes = len(classes)
    cfg.val_evaluator.topk = cfg.test_evaluator.topk = (1,)
    cfg.train_dataloader.batch_size = args.batch_size
    return cfg


def run(cfg: Config, folder: Path, seed: int) -> dict:
    """Train, unless it is done.

    Args:
        cfg (Config): The whole config.
        folder (Path): Its work_dir.
        seed (int): The seed.

    Returns:
        dict: What the last validation measured, and ``seconds``.
    """
    result = folder / 'result.json'
    if result.exists():
        return json.loads(result.read_text())
    folder.mkdir(parents=True, exist_ok=True)
    cfg.randomness = dict(seed=seed)
    cfg.dump(folder / 'run.py')
    start = time.monotonic()
    argv = [sys.executable, ROOT / 'tools/train.py', folder / 'run.py', '--work-dir', folder]
    with open(folder / 'train.log', 'w') as log:
        subprocess.run(argv, check=True, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
    lines = max(folder.glob('*/vis_data/scalars.json')).read_text().splitlines()
    measured = json.loads(lines[-1])
    keys = ('accuracy/top1', 'probe/knn', 'probe/linear')
    found = {key: measured[key] for key in keys if key in measured}
    found['seconds'] = round(time.monotonic() - start)
    with whole_file(result) as part:
        part.write_text(json.dumps(found))
    return found


def interval(values: Sequence[float]) -> str:
    """Write the mean with its 95 % interval (Student's t)."""
    mean, count = float(np.mean(values)), len(values)
    if count not in STUDENT_T:
        return f'{mean:.1f}'
    half = STUDENT_T[count] * float(np.std(values, ddof=1)) / count**0.5
    return f'{mean:.1f} ± {half:.1f}'


def parse_args(args: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m tools.studies.pretraining_gain',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/pretraining_gain'))
    parser.add_argument('--teacher', type=Path, default=Path('work_dirs/efficientnet-lite0.pth'))
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument(
        '--arms',
        nargs='+',
        choices=ARMS,
        default=list(ARMS),
        help='what is trained with labels (default: all three)',
    )
    for name, default, text in (
        ('classes', 10, 'classes of the 100, evenly spread over the alphabet'),
        ('images', 5000, 'images without labels; a tenth of them has labels'),
        ('test', 1000, 'test images'),
        ('pretrain-epochs', 2, 'epochs without labels'),
        ('epochs', 20, 'epochs on the labelled images behind the pretraining'),
        ('batch-size', 32, 'images of a step'),
    ):
        parser.add_argument(
            f'--{name}', type=int, default=default, help=f'{text} (default: {default})'
        )
    return parser.parse_args(args)


def main(argv: Sequence[str] | None = None) -> None:
    """Run all trainings and print the table."""
    args = parse_args(argv)
    from inrn_mm.datasets.cifar100 import CIFAR100_CATEGORIES

    step = 100 // args.classes
    classes = CIFAR100_CATEGORIES[::step][: args.classes]
    rows: list[dict] = []
    for seed in args.seeds:
        folder = args.work_dir / f'seed{seed}'
        pre = run(pretraining(args, classes), folder / 'pretrain', seed)
        weights = (folder / 'pretrain' / f'epoch_{args.pretrain_epochs}.pth').resolve()
        found = {
            arm: run(training(args, classes, seed, arm, weights), folder / arm, seed)
            for arm in args.arms
        }
        rows.append(dict(seed=seed, pre=pre, **found))
        print(json.dumps(rows[-1]), flush=True)
    print(table(rows))


def table(rows: Sequence[dict]) -> str:
    """Write what was measured as a table.

    Args:
        rows (Sequence[dict]): For each seed what :func:`run` returned, by arm.
    """
    probes = ('probe/knn', 'probe/linear')
    top = {arm: [row[arm]['accuracy/top1'] for row in rows] for arm in ARMS if arm in rows[0]}
    columns = {ARMS[arm]: values for arm, values in top.items()}
    for arm, name in (('pretrained', 'gain in the same time'), ('longer', 'gain in more time')):
        if {arm, 'scratch'} <= set(top):
            columns[name] = [a - b for a, b in zip(top[arm], top['scratch'])]
    for key in probes:
        columns[f'{key} of the pretraining'] = [row['pre'][key] for row in rows]
    lines = [
        [str(row['seed']), *(f'{values[i]:.1f}' for values in columns.values())]
        for i, row in enumerate(rows)
    ]
    lines.append(['mean', *(interval(values) for values in columns.values())])
    return markdown_table(['seed', *columns], lines)


if __name__ == '__main__':
    main()
