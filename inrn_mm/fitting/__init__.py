"""The single-stage INRN (paper, Sec. 2.3, Fig. 1b) and its peers.

A network's weights become an image or a video, through mmengine's runner.
The parts, each registered in mmengine's root registries:

``Signal``
    The target in memory, ``data`` of shape ``(T, H, W, C)``: uint8, int32 for
    16-bit images, float32 for floating-point ones; ``max_value`` 255, 65535
    or 1. ``load_signal(path, size=None, crop=None, frames=None)`` reads an
    image, an animation, a folder of frames or a video, see
    :mod:`inrn_mm.fitting.reading`.
Networks (``MODELS``)
    ``SingleStageINRN``, ``SIREN``, ``FourierMLP``, ``FINER``, ``NeRV``,
    ``HNeRV``; all take ``shape=(T, H, W, C)`` and have ``kind``
    (``'pixel'`` or ``'frame'``), ``decoder_state()`` and ``num_parameters``,
    see :class:`FittingNet`.
``SignalFitter(net=..., signal=..., loss=...)`` (``MODELS``)
    The model of a config. ``signal`` is a :class:`Signal`, the arguments of
    ``load_signal``, or ``dict(shape=(T, H, W, C), max_value=255)`` to decode
    without the target. It fills in the net's ``shape``.

    - ``fitter.signal``, ``fitter.net``, ``fitter.num_parameters``;
    - ``fitter.decode(frames=None, size=None, crop=None, chunk=...)`` yields
      float ``(C, h, w)`` in [0, 1]; frame indices may be fractional (between
      frames), ``size=(H, W)`` any, ``crop=(top, left, height, width)`` in
      pixels of that size;
    - ``fitter.to_pixels(frame)`` makes ``(h, w, C)`` uint8 / uint16 numpy
      pixels of it;
    - ``mode='predict'`` returns for each frame ``dict(pred=..., gt=...,
      frame=i)``: float ``(C, H, W)`` in [0, 1], ``pred`` clamped and rounded
      to the signal's levels, for metrics with a data range of 1.
``FittingLoss(alpha=0.7, norm='mse')`` (``LOSSES`` = ``MODELS``)
    Equation 1.
``FitTrainLoop``, ``FitValLoop``, ``FitTestLoop`` (``LOOPS``)
    mmengine's loops over frame numbers: the signal stays on the device.
    ``train_cfg=dict(type='FitTrainLoop', max_epochs=300)`` or ``max_iters``.
``BudgetHook(max_seconds=None, target_psnr=None)`` (``HOOKS``)
    In place of mmengine's ``ParamSchedulerHook``
    (``default_hooks.param_scheduler``): runs the config's schedule over the
    training, be its length given in epochs, iterations or seconds, and stops
    at a time or PSNR. ``encode_seconds`` (training alone, no evaluation) is
    in the message hub's info and the log's scalars.

``FitStopHook()`` (``HOOKS``)
    Ends a training with a checkpoint on Ctrl-C or SIGTERM.

``write_fit(path, net, net_cfg, signal, bits=8)``, ``read_fit(path)``
    The compact file, see :mod:`inrn_mm.fitting.codec`.

Configs are ``configs/fitting/{method}_{image|video}.py``; the input is
``model.signal.path`` or the environment's ``INRN_FIT_INPUT``. Metrics are in
``inrn_mm.evaluation`` (``METRICS`` ``PSNR``, ``SSIM``, ``MSSSIM``; keys
``psnr``, ``ssim``, ``ms_ssim``).
"""

from .budget import BudgetHook
from .codec import MagnitudePruneHook, read_fit, write_fit
from .fitter import SignalFitter
from .loops import FitTestLoop, FitTrainLoop, FitValLoop
from .losses import FittingLoss
from .networks import FINER, SIREN, FittingNet, FourierMLP, HNeRV, NeRV, SingleStageINRN
from .progress import FitProgressHook
from .signal import Signal, load_signal
from .stopping import FitStopHook

__all__ = [
    'BudgetHook',
    'FINER',
    'FitProgressHook',
    'FitStopHook',
    'FitTestLoop',
    'FitTrainLoop',
    'FitValLoop',
    'FittingLoss',
    'FittingNet',
    'FourierMLP',
    'HNeRV',
    'MagnitudePruneHook',
    'NeRV',
    'SIREN',
    'Signal',
    'SignalFitter',
    'SingleStageINRN',
    'load_signal',
    'read_fit',
    'write_fit',
]
