"""From an input and a config to a fit and its files, for the tools."""

import json
import time
from pathlib import Path

from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.runner import Runner

from ..engine.launch import build_runner, resume_from, set_precision
from ..engine.run_config import load_config
from ..engine.work_dir import work_dir_lock
from ..utils.machine import describe
from ..utils.whole_file import whole_file
from .codec import check_bits, read_fit, sparsity, write_fit
from .codec.compact import plain_config
from .files import check_video, write_frames, write_image, write_video
from .fitter import SignalFitter
from .loops import fitter_of
from .measure import Meter, file_figures, open_fitter, pixels_of
from .options import FitJob
from .plots import write_curves, write_error_map
from .scaling import scale_to
from .settings import clear, need_free, need_same, read_settings, settings_of, write_settings
from .signal import Signal, find_shape
from .stopping import FitStopHook

FIT, METRICS, VIDEO = 'fit.inrn', 'metrics.json', 'fitted.mp4'
ERROR, CURVE = 'error.png', 'psnr.png'
# What is not overwritten unasked; the checkpoints are hours of training.
PRODUCTS = (
    FIT,
    METRICS,
    ERROR,
    CURVE,
    'fitted.png',
    'fitted.tiff',
    VIDEO,
    'fitted',
    'last_checkpoint',
    'iter_*.pth',
)


def run_fit(job: FitJob) -> dict:
    """Fit, and write the products into the work_dir.

    They are ``fit.inrn``, what it decodes to (``fitted.png``, or
    ``fitted.mp4`` of a video), ``error.png``, ``psnr.png`` and
    ``metrics.json``; ``settings.json`` says what the fit is of.

    Args:
        job (FitJob): What to do.

    Returns:
        dict: The content of ``metrics.json``.

    Raises:
        SystemExit: If it was stopped by a signal; all products but
            ``metrics.json`` and a checkpoint are written then.
        FileExistsError: If products or checkpoints are there, and neither
            ``force`` was given nor is it resumed from there.
        FileNotFoundError: If input or config do not exist.
        ValueError: If the input is unusable, an option wrong, or the fit to
            resume is of another input or has other settings.
        MemoryError: If the memory will not do.
        RuntimeError: If another process writes into the work_dir.
        OSError: If nothing can be written there.
    """
    check_bits(job.bits)
    out = Path(job.work_dir)
    settings = settings_of(job)
    cfg = job_config(job)
    # begun, even if it ended before its first checkpoint
    begun = cfg.get('resume') or (job.resume and read_settings(out))
    source = Path(cfg.load_from).parent if cfg.get('resume') else out
    if begun:
        need_same(source, settings)
    fresh = not begun or source.resolve() != out.resolve()
    if fresh and not job.force:
        need_free(out, PRODUCTS, 'go on with its fit by --resume, overwrite it with --force')
    with work_dir_lock(out):
        return _fit(job, cfg, settings, fresh)


def _fit(job: FitJob, cfg: Config, settings: dict, fresh: bool) -> dict:
    """Do what :func:`run_fit` does once the work_dir is this process's."""
    out = Path(job.work_dir)
    runner = build_runner(cfg)
    fitter = fitter_of(runner)
    if fitter.signal.shape[0] > 1 and not job.save_frames:
        check_video(out / VIDEO, fitter.signal.fps)
    if is_main_process():  # now that config and input are known to be usable
        if fresh:
            clear(out)
        write_settings(out, settings)
    stop = FitStopHook()
    runner.register_hook(stop)
    try:
        runner.train()
    finally:
        stop.release()
    metrics = dict(input=str(job.input), config=str(job.config), **figures_of(runner))
    if is_main_process():
        size = fitter.num_parameters
        metrics |= export(fitter, cfg.model.net, out, job)
        write_curves(out / CURVE, {f'{size / 1e3:,.0f} k': psnr_curve(runner)})
    stop.exit_if_stopped(f'{out}/ has the checkpoint and the fit so far; go on with --resume.')
    if is_main_process():
        # the last of all: it says that the fit is complete
        write_json(out / METRICS, metrics)
    return metrics


def job_config(job: FitJob) -> Config:
    """Load the config of a job, with all that the job changes in it.

    Raises:
        ValueError: If it is no fitting config, or an option wrong.
    """
    cfg = load_config(job)  # type: ignore[arg-type]  # it has the same attributes
    if cfg.model.get('type') != 'SignalFitter':
        raise ValueError(
            f'{job.config} is no fitting config: its model is a '
            f'{cfg.model.get("type")}, not a SignalFitter; see '
            'configs/fitting.'
        )
    # one place in the process for logs of each fit, however fast they follow
    cfg.experiment_name = f'{Path(job.config).stem}_{time.time_ns()}'
    cfg.model.signal.update(path=str(job.input), **job.input_options())
    cfg.model.net = plain_config(cfg.model.net)  # else it would be refused after the training
    if job.parameters is not None:
        shape = find_shape(**cfg.model.signal)
        cfg.model.net = scale_to(cfg.model.net, shape, job.parameters)
    budget = cfg.default_hooks.get('param_scheduler') or {}
    for name in ('max_seconds', 'target_psnr'):
        value = getattr(job, name)
        if value is not None:
            if budget.get('type') != 'BudgetHook':
                option = name.replace('_', '-')
                raise ValueError(
                    f'--{option} needs default_hooks.param_scheduler='
                    f"dict(type='BudgetHook') in {job.config}."
                )
            budget[name] = value
    if job.prune is not None:
        cfg.custom_hooks.append(dict(type='MagnitudePruneHook', ratio=job.prune))
    cfg.custom_hooks.append(dict(type='FitProgressHook'))
    set_precision(cfg, job.amp)
    resume_from(cfg, job.resume, job.allow_pickle)
    return cfg


def export(fitter: SignalFitter, net_cfg: dict, out: Path, job: FitJob) -> dict:
    """Write the compact file and what it decodes to, and measure that.

    Args:
        fitter (SignalFitter): The fitter, with its target.
        net_cfg (dict): Config of its network, without the shape.
        out (Path): Folder.
        job (FitJob): Its ``bits`` and ``save_frames`` count.

    Returns:
        dict: Figures of the file: quality, size and speed of decoding.
    """
    signal = fitter.signal
    path = out / FIT
    write_fit(
        path, fitter.net, dict(net_cfg, shape=signal.shape), signal, job.bits, force=True
    )  # checked before the training
    fit = read_fit(path)
    meter = Meter(Signal(fitter.target, None, signal.max_value, signal.fps))
    decoder = open_fitter(fit, fitter.device)
    write_pixels(out, meter.watch(pixels_of(decoder)), signal, job.save_frames)
    write_error_map(out / ERROR, meter.error_map())
    return dict(file_figures(fit, decoder, meter), bits=job.bits, sparsity=sparsity(fitter.net))


def write_pixels(out: Path, frames, signal: Signal, save_frames: bool) -> None:
    """Write decoded frames under ``fitted``, as suits them.

    Args:
        out (Path): Folder.
        frames (Iterator[np.ndarray]): Pixels ``(H, W, C)`` of each frame.
        signal (Signal): The signal that they show; its data is not needed.
        save_frames (bool): Write a video as PNG files, not as an mp4.
    """
    if signal.shape[0] == 1:
        suffix = '.tiff' if signal.max_value == 1 else '.png'
        write_image(out / f'fitted{suffix}', next(frames))
        next(frames, None)  # lets the meter finish
    elif save_frames:
        write_frames(out / 'fitted', frames)
    else:
        write_video(out / VIDEO, frames, signal.fps)


def figures_of(runner: Runner) -> dict:
    """Collect what is known of a training."""
    fitter = fitter_of(runner)
    curve = psnr_curve(runner)
    return dict(
        network=type(fitter.net).__name__,
        shape=list(fitter.signal.shape),
        parameters=fitter.num_parameters,
        iterations=runner.iter,
        encode_seconds=runner.message_hub.get_info('encode_seconds', 0.0),
        psnr_before_compression=curve[-1][1] if curve else None,
        curve=curve,
        machine=describe(str(fitter.device)),
    )


def psnr_curve(runner: Runner) -> list[tuple[float, float]]:
    """List (seconds of training, PSNR) of all evaluations, resumed ones too."""
    hub = runner.message_hub
    scalars = [hub.log_scalars.get(f'val/{name}') for name in ('encode_seconds', 'psnr')]
    if None in scalars:
        return []
    seconds, psnr = (scalar.data[0].tolist() for scalar in scalars)
    return list(zip(seconds, psnr))


def write_json(path: Path, content: dict) -> None:
    """Write a file, whole or not at all.

    Args:
        path (Path): The file.
        content (dict): Values of JSON types.
    """
    with whole_file(path) as part:
        part.write_text(json.dumps(content, indent=1) + '\n')


def summary(metrics: dict) -> str:
    """Say the most important figures in a few lines."""
    quality = ', '.join(
        f'{title} {metrics[key]:.{digits}f}{unit}'
        for key, title, digits, unit in (
            ('psnr', 'PSNR', 2, ' dB'),
            ('ssim', 'SSIM', 4, ''),
            ('ms_ssim', 'MS-SSIM', 4, ''),
        )
        if key in metrics
    )
    before = metrics['psnr_before_compression']
    return (
        f'{metrics["network"]}, {metrics["parameters"]:,} parameters, '
        f'{metrics["iterations"]} steps in {metrics["encode_seconds"]:.1f} s'
        f'\nfile: {metrics["bytes"]:,} bytes, '
        f'{metrics["bits_per_pixel"]:.3f} bits per pixel, decodes at '
        f'{metrics["decode_fps"]:.3g} frames/s\nquality of the file: '
        f'{quality}' + (f' ({before:.2f} dB before compression)' if before else '')
    )
