"""Pictures of a fit: the error's map and the PSNR over the time."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..utils.whole_file import whole_file
from .files import write_image

# Error of full brightness in a map, as a share of the signal's range: the
# same for all, so that maps compare.
FULL_ERROR = 0.1

Curve = Sequence[tuple[float, float]]


def error_picture(error: np.ndarray) -> np.ndarray:
    """Draw an error as a uint8 RGB picture, black (0) to bright (10 % and more).

    Args:
        error (np.ndarray): Shape ``(H, W)``, in [0, 1].
    """
    import cv2

    levels = np.round(np.clip(error / FULL_ERROR, 0, 1) * 255).astype(np.uint8)
    return cv2.applyColorMap(levels, cv2.COLORMAP_INFERNO)[..., ::-1]


def write_error_map(path: Path, error: np.ndarray) -> None:
    """Write :func:`error_picture`.

    Args:
        path (Path): For example ``error.png``.
        error (np.ndarray): Shape ``(H, W)``, in [0, 1].
    """
    write_image(path, error_picture(error))


def write_curves(
    path: Path,
    curves: dict[str, Curve],
    xlabel: str = 'seconds of training',
    ylabel: str = 'PSNR (dB)',
    log: bool = False,
) -> None:
    """Plot curves into a picture.

    Args:
        path (Path): For example ``psnr.png``.
        curves (dict[str, Curve]): Name to points (x, y).
        xlabel (str): Defaults to ``'seconds of training'``.
        ylabel (str): Defaults to ``'PSNR (dB)'``.
        log (bool): Logarithmic x axis. Defaults to False.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from ..visualization.curves import plot_curves

    figure = plot_curves({ylabel: curves}, xlabel, markers=(ylabel,))
    if log:
        for axes in figure.axes:
            axes.set_xscale('log')
    FigureCanvasAgg(figure)
    with whole_file(path) as part:
        figure.savefig(part, dpi=120, bbox_inches='tight')
