"""Train several configs with several seeds and compare them in one table.

Each run is one tools/train.py with a work_dir of its own below --out. Started
again, finished runs are left alone and an interrupted one goes on, so that
more configs or seeds can be added later. After each run table.md, table.csv
and table.png are written. The configs should differ in one thing only: the
method, or, for an ablation, a part of the network. Lists of configs that
belong together have names, see --preset.
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
from types import SimpleNamespace

import yaml

EXAMPLES = """examples:
  python tools/analysis_tools/compare_distillers.py \\
      configs/distill/faster-rcnn_r50-from-r101_{kd,pkd,review,inrn}_coco.py \\
      --baseline configs/inrn/faster-rcnn_r50_coco.py --seeds 0 1 2 \\
      --out work_dirs/compare
  (the same again after an interruption; add --gpus 8 on eight GPUs)

  python tools/analysis_tools/compare_distillers.py CONFIG1 CONFIG2 \\
      --metric coco/bbox_mAP loss_cls --cfg-options train_cfg.max_epochs=2

  python tools/analysis_tools/compare_distillers.py \\
      --preset resnet56-resnet20 --seeds 0 1 2 --jobs 8 --max-minutes 600 \\
      --out work_dirs/56-20
  (eight small runs beside each other on each GPU, for ten hours; the same
  again goes on)"""

TRAIN = Path(__file__).parents[1] / 'train.py'
CONFIGS = Path(__file__).parents[2] / 'configs' / 'classification'
POLL = 0.2  # seconds between two looks at the running ones
GRACE = 30  # seconds that a run has to end when it is told to


def parse_args():
    presets = yaml.safe_load((CONFIGS / 'presets.yml').read_text())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'configs', nargs='*', type=Path, help='config files, one per method')
    parser.add_argument(
        '--preset',
        choices=presets,
        metavar='NAME',
        help='configs of configs/classification in place of a list, with the '
        'published figures beside ours: ' +
        '; '.join(f"{n}: {p['about']}" for n, p in presets.items()))
    parser.add_argument(
        '--baseline',
        type=Path,
        help='config of the student alone: the first row, and what the gains '
        'are over (default: that of the preset, else none)')
    parser.add_argument(
        '--seeds', nargs='+', type=int, default=[0], help='(default: 0)')
    parser.add_argument(
        '--metric',
        nargs='+',
        help='keys of the log, a training loss such as loss_cls too (the '
        'total `loss` has the distillation in it) (default: accuracy/top1 and '
        'accuracy/top5 of a preset, accuracy/top1 of classifiers, else '
        'coco/bbox_mAP)')
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
        '--jobs',
        type=int,
        help='runs beside each other on each GPU, or else on the CPU, whose '
        'cores they share (default: one run at a time)')
    parser.add_argument(
        '--max-minutes',
        type=float,
        help='stop after this time; the same command goes on from the last '
        'checkpoints (default: no limit)')
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/compare'),
        help='folder (default: work_dirs/compare)')
    args = parser.parse_args()
    if bool(args.preset) == bool(args.configs):
        parser.error('Give configs or --preset NAME.')
    if args.jobs is not None and (args.jobs < 1 or args.gpus > 1):
        parser.error(f'--jobs {args.jobs}: it must be 1 or more, and cannot '
                     'be given for runs on several GPUs each.')
    args.published = {}
    if args.preset:
        preset = presets[args.preset]
        args.configs = [CONFIGS / f'{name}.py' for name in preset['configs']]
        args.published = preset.get('published', {})
        args.baseline = args.baseline or args.configs[0]
        args.metric = args.metric or ['accuracy/top1', 'accuracy/top5']
    configs = [args.baseline] if args.baseline else []
    args.configs = list(dict.fromkeys(configs + args.configs))
    names = [config.stem for config in args.configs]
    for config in args.configs:
        if not config.is_file():
            parser.error(f'The config {config} does not exist.')
        if names.count(config.stem) > 1:
            parser.error(f'Two configs are called {config.stem}: their runs '
                         'would share a folder; rename one.')
    args.metric = args.metric or default_metric(args.configs[0])
    args.seeds = list(dict.fromkeys(args.seeds))
    args.options = {
        config: run_options(config, args)
        for config in args.configs
    }
    return args


def default_metric(config):
    """What configs of this kind are compared by."""
    from mmengine.config import Config
    scope = Config.fromfile(config).get('default_scope')
    return ['accuracy/top1' if scope == 'mmpretrain' else 'coco/bbox_mAP']


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


def places(jobs):
    """Environments of the runs beside each other: a GPU or a share of the
    cores for each.

    Args:
        jobs (int, optional): Runs on each GPU, or on the CPU; None is one run
            at a time, with all that there is.
    """
    if jobs is None:
        return [{}]
    import torch
    if torch.cuda.is_available():
        names = os.environ.get('CUDA_VISIBLE_DEVICES') or ','.join(
            map(str, range(torch.cuda.device_count())))
        return [dict(CUDA_VISIBLE_DEVICES=i) for i in names.split(',')] * jobs
    threads = max(len(os.sched_getaffinity(0)) // jobs, 1)
    return [dict(OMP_NUM_THREADS=str(threads))] * jobs


def start(config, folder, seed, options, gpus, place):
    """Start a run, or go on with it; None if it is finished."""
    record = read_record(config, folder, seed, options)
    title = f'{config.stem}, seed {seed}'
    if record['finished']:
        print(f'{title}: done before')
        return None
    print(f'{title}: training, output in {folder}/train.log', flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    record['machine'] = machine()
    write_record(folder, record)
    with open(folder / 'train.log', 'a') as log:
        process = subprocess.Popen(
            command(config, folder, seed, options, gpus),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, **place),
            start_new_session=True)  # to be stopped with its children
    return SimpleNamespace(
        title=title,
        folder=folder,
        record=record,
        pid=process.pid,
        place=place,
        begin=time.monotonic())


def ended(run, flags=os.WNOHANG):
    """Whether a run has ended; then its record is written."""
    pid, status, usage = os.wait4(run.pid, flags)
    if not pid:
        return False
    record = run.record
    record['seconds'] += time.monotonic() - run.begin
    record['peak_rss'] = max(record['peak_rss'], usage.ru_maxrss / 1024)
    record['finished'] = os.waitstatus_to_exitcode(status) == 0
    write_record(run.folder, record)
    return True


def stop(running):
    """End the runs; what they have saved stays."""
    for run in running:
        os.killpg(run.pid, signal.SIGTERM)
    deadline = time.monotonic() + GRACE
    for run in running:
        while not ended(run):
            if time.monotonic() > deadline:
                os.killpg(run.pid, signal.SIGKILL)
            time.sleep(POLL)


def train_all(args):
    """Train what is not yet trained.

    Returns:
        tuple[int, bool]: How many runs failed, and whether time was up.
    """
    # seeds outside: a first table of all methods comes early
    waiting = [(config, args.out / config.stem / f'seed{seed}', seed)
               for seed in args.seeds for config in args.configs]
    free, running, failed = places(args.jobs), [], 0
    minutes = float('inf') if args.max_minutes is None else args.max_minutes
    deadline = time.monotonic() + 60 * minutes
    try:
        while waiting or running:
            if time.monotonic() > deadline:
                stop(running)
                return failed, True
            while waiting and free:
                config, folder, seed = waiting.pop(0)
                run = start(config, folder, seed, args.options[config],
                            args.gpus, free[0])
                if run:
                    running.append(run)
                    free.pop(0)
            for run in [run for run in running if ended(run)]:
                running.remove(run)
                free.append(run.place)
                if not run.record['finished']:
                    failed += 1
                    log = (run.folder / 'train.log').read_text()
                    last = log.strip().splitlines()[-1:]
                    print(f"{run.title}: FAILED, {''.join(last)}")
                write_tables(args)
                print(
                    f'{run.title}: ended; {len(running)} running, '
                    f'{len(waiting)} waiting',
                    flush=True)
            if running:
                time.sleep(POLL)
    except BaseException:
        stop(running)
        raise
    return failed, False


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
    rows = summarize(runs, args.metric, args.baseline and args.baseline.stem,
                     args.published)
    table = markdown(rows, runs)
    (args.out / 'table.md').write_text(table)
    write_csv(rows, args.out / 'table.csv')
    draw(rows, args.out / 'table.png')
    return table


def main():
    args = parse_args()
    # a scheduler's way to stop; the run must not go on alone
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        failed, late = train_all(args)
        print(f'\n{write_tables(args, counted=True)}')
    except ValueError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit('interrupted: the same command goes on')
    if late:
        print('time is up: the same command goes on')
    print(f'finished runs are in {args.out}/table.md, table.csv and table.png')
    if failed:
        sys.exit(f'{failed} runs failed; their train.log says why, and the '
                 'same command tries them again.')


if __name__ == '__main__':
    main()
