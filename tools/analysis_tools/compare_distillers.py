"""Train several configs with several seeds and compare them in one table.

Each run is one tools/train.py with a work_dir of its own below --out. Started
again, finished runs are left alone and an interrupted one goes on, so that
more configs or seeds can be added later. After each run table.md, table.csv
and table.png are written. The configs should differ in the method only.
"""
import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

EXAMPLES = """examples:
  python tools/analysis_tools/compare_distillers.py \\
      configs/distill/faster-rcnn_r50-from-r101_{kd,pkd,review,inrn}_coco.py \\
      --baseline configs/inrn/faster-rcnn_r50_coco.py --seeds 0 1 2 \\
      --out work_dirs/compare
  (the same again after an interruption; add --gpus 8 on eight GPUs)

  python tools/analysis_tools/compare_distillers.py CONFIG1 CONFIG2 \\
      --metric coco/bbox_mAP loss_cls --cfg-options train_cfg.max_epochs=2"""

TRAIN = Path(__file__).parents[1] / 'train.py'


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'configs', nargs='+', type=Path, help='config files, one per method')
    parser.add_argument(
        '--baseline',
        type=Path,
        help='config of the student alone: the first row, and what the gains '
        'are over')
    parser.add_argument(
        '--seeds', nargs='+', type=int, default=[0], help='(default: 0)')
    parser.add_argument(
        '--metric',
        nargs='+',
        default=['coco/bbox_mAP'],
        help='keys of the log, a training loss such as loss_cls too (the total '
        '`loss` has the distillation in it) (default: coco/bbox_mAP)')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='passed to every run, as in tools/train.py')
    parser.add_argument(
        '--student-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help="options of the student's model, in distilled and plain configs "
        'alike: neck.out_channels=64 is model.student.neck.out_channels=64 or '
        'model.neck.out_channels=64')
    parser.add_argument(
        '--distill-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='passed to the distilled configs only, such as '
        'model.teacher_checkpoint=FILE')
    parser.add_argument(
        '--gpus', type=int, default=1, help='of each run (default: 1)')
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/compare'),
        help='folder (default: work_dirs/compare)')
    args = parser.parse_args()
    configs = [args.baseline] if args.baseline else []
    args.configs = list(dict.fromkeys(configs + args.configs))
    names = [config.stem for config in args.configs]
    for config in args.configs:
        if not config.is_file():
            parser.error(f'The config {config} does not exist.')
        if names.count(config.stem) > 1:
            parser.error(f'Two configs are called {config.stem}: their runs '
                         'would share a folder; rename one.')
    args.seeds = list(dict.fromkeys(args.seeds))
    args.options = {
        config: run_options(config, args)
        for config in args.configs
    }
    return args


def run_options(config, args):
    """All options of the runs of one config."""
    options = list(args.cfg_options)
    if not args.student_options and not args.distill_options:
        return options  # without reading the config
    from mmengine.config import Config
    distilled = Config.fromfile(config).model.type == 'KnowledgeDistiller'
    model = 'model.student.' if distilled else 'model.'
    options += [model + option for option in args.student_options]
    return options + (args.distill_options if distilled else [])


def machine():
    """A few words on where this runs."""
    import torch
    if torch.cuda.is_available():
        return (f'{torch.cuda.device_count()} x '
                f'{torch.cuda.get_device_name()}, torch {torch.__version__}')
    name = platform.machine()
    if os.path.exists('/proc/cpuinfo'):
        names = [
            line.split(':')[1].strip()
            for line in Path('/proc/cpuinfo').read_text().splitlines()
            if line.startswith('model name')
        ]
        name = names[0] if names else name
    return (f'{len(os.sched_getaffinity(0))} CPU cores of {name}, '
            f'torch {torch.__version__}')


def command(config, folder, seed, options, gpus):
    """The command line of one run."""
    argv = [sys.executable, TRAIN, config]
    if gpus > 1:
        argv = ['bash', TRAIN.with_name('dist_train.sh'), config, gpus]
    argv += ['--work-dir', folder, '--resume']
    argv += ['--cfg-options', f'randomness.seed={seed}', *options]
    return list(map(str, argv))


def read_record(config, folder, seed, options):
    """What is known of a run; a new record if it was never started.

    Raises:
        ValueError: If it was started with other settings.
    """
    path = folder / 'run.json'
    made_from = dict(config=str(config), seed=seed, options=options)
    if not path.is_file():
        return dict(
            made_from,
            method=config.stem,
            finished=False,
            seconds=0,
            peak_rss=0)
    record = json.loads(path.read_text())
    for key, value in made_from.items():
        if record[key] != value:
            raise ValueError(
                f'{folder} was started with {key} {record[key]}, not {value}: '
                'use the same, or another folder by --out.')
    return record


def write_record(folder, record):
    """Whole or not at all: the next start reads it."""
    temporary = folder / 'run.json.tmp'
    temporary.write_text(json.dumps(record, indent=1) + '\n')
    os.replace(temporary, folder / 'run.json')


def train(config, folder, seed, options, gpus):
    """Train to the end, if that is not done; returns whether it worked."""
    record = read_record(config, folder, seed, options)
    title = f'{config.stem}, seed {seed}'
    if record['finished']:
        print(f'{title}: done before')
        return True
    print(f'{title}: training, output in {folder}/train.log', flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    record['machine'] = machine()
    write_record(folder, record)
    start = time.monotonic()
    with open(folder / 'train.log', 'a') as log:
        process = subprocess.Popen(
            command(config, folder, seed, options, gpus),
            stdout=log,
            stderr=subprocess.STDOUT)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            process.terminate()
            process.wait()
            raise
    process.returncode = os.waitstatus_to_exitcode(status)
    record['seconds'] += time.monotonic() - start
    record['peak_rss'] = max(record['peak_rss'], usage.ru_maxrss / 1024)
    record['finished'] = process.returncode == 0
    write_record(folder, record)
    if not record['finished']:
        last = (folder / 'train.log').read_text().strip().splitlines()[-1:]
        print(f"{title}: FAILED, {''.join(last)}")
    return record['finished']


def count_parameters(config, options):
    """Trainable numbers that the losses add to the student."""
    from mmengine.config import Config, DictAction
    from mmengine.registry import MODELS, init_default_scope
    cfg = Config.fromfile(config)
    parser = argparse.ArgumentParser()
    parser.add_argument('--options', nargs='*', action=DictAction, default={})
    cfg.merge_from_dict(parser.parse_args(['--options', *options]).options)
    if cfg.model.type != 'KnowledgeDistiller':
        return 0
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    losses = MODELS.build(cfg.model).distill_losses
    return sum(p.numel() for p in losses.parameters() if p.requires_grad)


def write_tables(args, counted=False):
    """Table and picture of the finished runs; returns the table."""
    from inrn_mm.visualization.comparison import (draw, markdown, read_run,
                                                  summarize, write_csv)
    runs, counts = [], {}
    for config in args.configs:
        for seed in args.seeds:
            folder = args.out / config.stem / f'seed{seed}'
            if not (folder / 'run.json').is_file():
                continue
            record = read_record(config, folder, seed, args.options[config])
            if not record['finished']:
                continue
            if counted and 'added_params' not in record:
                if config not in counts:
                    counts[config] = count_parameters(config,
                                                      args.options[config])
                write_record(folder, dict(record, added_params=counts[config]))
            runs.append(read_run(folder, args.metric))
    if not runs:
        return ''
    rows = summarize(runs, args.metric, args.baseline and args.baseline.stem)
    table = markdown(rows, runs)
    (args.out / 'table.md').write_text(table)
    write_csv(rows, args.out / 'table.csv')
    draw(rows, args.out / 'table.png')
    return table


def main():
    args = parse_args()
    # a scheduler's way to stop; the run must not go on alone
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    failed = 0
    try:
        # seeds outside: a first table of all methods comes early
        for seed in args.seeds:
            for config in args.configs:
                folder = args.out / config.stem / f'seed{seed}'
                failed += not train(config, folder, seed, args.options[config],
                                    args.gpus)
                write_tables(args)
        print(f'\n{write_tables(args, counted=True)}')
    except ValueError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit('interrupted: the same command goes on')
    print(f'written to {args.out}/table.md, table.csv and table.png')
    if failed:
        sys.exit(f'{failed} runs failed; their train.log says why, and the '
                 'same command tries them again.')


if __name__ == '__main__':
    main()
