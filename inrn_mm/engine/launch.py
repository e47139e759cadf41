"""From command-line arguments to a runner, for ``tools/train.py`` and
``tools/test.py``."""

import argparse
import contextlib
from collections.abc import Iterator

from mmengine.config import Config, ConfigDict
from mmengine.device import get_device
from mmengine.dist import all_gather_object
from mmengine.logging import print_log
from mmengine.registry import METRICS, RUNNERS
from mmengine.runner import Runner

from ..datasets.checks.explain import explain_failure
from ..datasets.checks.paths import check_data_paths
from ..ops import find_operators, log_operators
from ..utils.config_types import init_scope, model_package, type_name
from .checkpoints.resuming import find_last_checkpoint
from .config_file import LOADERS
from .devices import end_group, init_cpu_group
from .distilled_config import count_samples
from .run_config import load_config
from .tta import augment_test
from .work_dir import check_writable, work_dir_lock


def train(args: argparse.Namespace) -> None:
    """Train as the arguments of ``tools/train.py`` say.

    Args:
        args (Namespace): What :func:`load_config` reads, ``resume``, and the
            flags ``amp``, ``auto_scale_lr``, ``no_validate``,
            ``no_pin_memory`` and ``no_persistent_workers``.

    Raises:
        ValueError: If ``auto_scale_lr`` does not know the config's batch size,
            or nothing is left of a dataset.
        FileNotFoundError: If the config or its data are not there.
        OSError: If nothing can be written into the work_dir.
        RuntimeError: If ``amp`` needs other operators than those in use, there
            is no device for a process, or another process trains in the
            work_dir.
    """
    cfg = load_config(args)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    for name in LOADERS:
        if cfg.get(name) and args.no_pin_memory:
            cfg[name].pin_memory = False
        if cfg.get(name) and args.no_persistent_workers:
            cfg[name].persistent_workers = False
    set_precision(cfg, args.amp)
    if args.auto_scale_lr:
        if not cfg.get('auto_scale_lr', {}).get('base_batch_size'):
            raise ValueError(
                '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=N) '
                f'in {args.config}: the batch size that its learning rate is '
                'for.'
            )
        cfg.auto_scale_lr.enable = True
    loaders = ['train_dataloader', 'val_dataloader']
    check_data_paths(cfg, [*loaders, 'unlabeled_dataloader'])
    count_samples(cfg)
    with work_dir_lock(cfg.work_dir):
        resume_from(cfg, args.resume, args.allow_pickle)
        runner = build_runner(cfg)
        with data_explained(cfg, loaders):
            runner.train()
        end_group(cfg.launcher)


def test(args: argparse.Namespace) -> None:
    """Evaluate as the arguments of ``tools/test.py`` say.

    Args:
        args (Namespace): What :func:`load_config` reads, ``checkpoint``,
            ``out``, ``show``, ``show_dir``, ``wait_time`` and ``tta``.

    Raises:
        ValueError: If ``out`` is no pickle file, predictions cannot be drawn,
            or nothing is left of the dataset.
        FileNotFoundError: If the config or its data are not there.
        RuntimeError: If there is no device for a process.
    """
    cfg = load_config(args)
    cfg.load_from, cfg.resume = args.checkpoint, False
    package = model_package(cfg)
    if args.out and not args.out.endswith(('.pkl', '.pickle')):
        raise ValueError(f'--out must end in .pkl or .pickle, not {args.out}.')
    if args.show or args.show_dir:
        if args.tta and package == 'mmpretrain':
            raise ValueError(
                'mmpretrain cannot draw augmented images: leave '
                'out --tta, or --show and --show-dir.'
            )
        draw_predictions(cfg, args.show, args.show_dir, args.wait_time)
    if args.tta:
        augment_test(cfg)
    loaders = ['test_dataloader']
    check_data_paths(cfg, loaders)
    check_writable(cfg.work_dir)
    runner = build_runner(cfg)
    with data_explained(cfg, loaders):
        if args.out:  # builds the dataset
            dump = 'mmdet.DumpDetResults' if package == 'mmdet' else 'DumpResults'
            runner.test_evaluator.metrics.append(
                METRICS.build(dict(type=dump, out_file_path=args.out))
            )
        runner.test()
    end_group(cfg.launcher)


@contextlib.contextmanager
def data_explained(cfg: Config, loaders: list[str]) -> Iterator[None]:
    """Name the fault in the data in place of the words of their reader.

    Args:
        cfg (Config): The config that is run.
        loaders (list[str]): Its dataloaders that are built.

    Raises:
        ValueError: If a run ends by its data.
    """
    try:
        yield
    except Exception as error:
        sentence = explain_failure(cfg, loaders, error)
        if sentence is None:
            raise
        raise ValueError(sentence) from error


def set_precision(cfg: Config, amp: bool) -> None:
    """Train in mixed precision if the user asks for it, or the config does.

    Args:
        cfg (Config): Changed in place; an ``AmpOptimWrapper`` of its own
            counts as ``amp``.
        amp (bool): The user's ``--amp``.

    Raises:
        RuntimeError: See :func:`enable_amp`.
    """
    if amp or type_name(cfg.get('optim_wrapper')) == 'AmpOptimWrapper':
        enable_amp(cfg)


def enable_amp(cfg: Config) -> None:
    """Train in mixed precision: float16 on a GPU, bfloat16 without one.

    Args:
        cfg (Config): Changed in place. An ``AmpOptimWrapper`` of its own keeps
            its type and loss scale on a GPU.

    Raises:
        RuntimeError: In bfloat16, if the model needs operators of mmcv and
            those in use are the compiled ones, which have no kernels for it.
    """
    wrapper = cfg.optim_wrapper
    on_cpu = get_device() == 'cpu'
    if on_cpu:
        wrapper.type = 'CPUAmpOptimWrapper'
        for name in ('loss_scale', 'dtype', 'use_fsdp'):
            wrapper.pop(name, None)
    else:
        wrapper.type = 'AmpOptimWrapper'
        wrapper.setdefault('loss_scale', 'dynamic')
    if (
        (on_cpu or wrapper.get('dtype') == 'bfloat16')
        and _runs_operators(cfg.model, on_cpu)
        and find_operators() == 'compiled'
    ):
        raise RuntimeError(
            "mmcv's compiled operators have no kernels for bfloat16, in which this detector is to "
            "be trained: take torchvision's, by the environment's INRN_MMCV_OPS=torchvision, or "
            'leave --amp out.'
        )


def _runs_operators(part: object, on_cpu: bool) -> bool:
    """Tell whether a part of a model's config trains with operators of mmcv."""
    if isinstance(part, (list, tuple)):
        return any(_runs_operators(item, on_cpu) for item in part)
    if not isinstance(part, dict):
        return False
    # on a CPU mmdet has a focal loss of its own
    focal = not on_cpu and str(part.get('type')).endswith('FocalLoss')
    if focal or 'roi_head' in part or part.get('dcn') is not None:
        return True
    return any(_runs_operators(value, on_cpu) for value in part.values())


def resume_from(cfg: Config, resume: str | None, allow_pickle: bool) -> None:
    """Set what to resume from.

    Args:
        cfg (Config): Changed in place. Its own ``resume=True`` counts as
            ``resume='auto'`` if it has no ``load_from``.
        resume (str, optional): ``'auto'`` for the last readable checkpoint of
            the work_dir, or a path.
        allow_pickle (bool): See :func:`load_state`.
    """
    if resume is None and cfg.get('resume') and not cfg.get('load_from'):
        resume = 'auto'
    if resume == 'auto':
        resume = find_last_checkpoint(cfg.work_dir, allow_pickle)
        if resume is None:
            print_log(f'Nothing to resume in {cfg.work_dir}: starting anew.', 'current')
            cfg.resume = False
    if resume is not None:
        cfg.resume, cfg.load_from = True, resume


def draw_predictions(cfg: Config, show: bool, show_dir: str | None, wait_time: float) -> None:
    """Turn the visualization hook on: mmdet's, or the config's own.

    Args:
        cfg (Config): Changed in place.
        show (bool): In a window.
        show_dir (str, optional): Folder for the pictures; mmdet makes it below
            the run's own folder in the work_dir.
        wait_time (float): Seconds that a window stays.

    Raises:
        ValueError: If there is no such hook and the config is none of mmdet's.
    """
    hooks = cfg.default_hooks
    if 'visualization' not in hooks:
        if model_package(cfg) != 'mmdet':
            raise ValueError(
                "--show and --show-dir need a visualization hook in the config's default_hooks."
            )
        hooks.visualization = ConfigDict(type='mmdet.DetVisualizationHook')
        cfg.setdefault('visualizer', ConfigDict(type='mmdet.DetLocalVisualizer'))
    hook = hooks.visualization
    classifier = type_name(hook) == 'VisualizationHook'  # mmpretrain's names
    hook['enable' if classifier else 'draw'] = True
    hook.interval = 1
    if show:
        hook.update(show=True, wait_time=wait_time)
    if show_dir and model_package(cfg) == 'mmseg':  # its hook leaves files to the visualizer
        cfg.visualizer.save_dir = show_dir
    elif show_dir:
        hook['out_dir' if classifier else 'test_out_dir'] = show_dir


def build_runner(cfg: Config) -> Runner:
    """Build the config's runner, on CPU processes if there is no GPU.

    Args:
        cfg (Config): What :func:`load_config` returns.

    Returns:
        Runner: Ready to train or test.

    Raises:
        RuntimeError: If the processes would start from different checkpoints.
    """
    init_cpu_group(cfg)
    init_scope(cfg)
    runner = RUNNERS.build(cfg) if 'runner_type' in cfg else Runner.from_cfg(cfg)
    log_operators()
    # each looked for itself; DDP would let them drift apart
    starts = set(all_gather_object((cfg.get('load_from'), cfg.get('resume'))))
    if len(starts) > 1:
        raise RuntimeError(
            'The processes found different checkpoints to start from, '
            f'{sorted(str(path) for path, _ in starts)}: work_dir must be one '
            'folder that all nodes share.'
        )
    return runner
