"""Frames at their own times, brought to one rate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
from mmengine.logging import print_log

Timed = tuple[float, np.ndarray]


@dataclass
class Timing:
    """The rate at which the frames of a file are taken.

    Args:
        step (float): Seconds from frame to frame.
        count (int): Number of frames at that rate, as far as the file was
            looked at.
        start (float): When the first is shown, in seconds. Defaults to 0.
        even (bool): Whether the frames have that rate by themselves.
            Defaults to True.
        last (int): Frames at that rate for which the last one stays.
            Defaults to 1.
        changes (tuple[int, int]): Frames that are repeated, and left out.
            Defaults to (0, 0).
    """

    step: float
    count: int
    start: float = 0.0
    even: bool = True
    last: int = 1
    changes: tuple[int, int] = (0, 0)

    def slot(self, time: float) -> int:
        """Number the frame at the rate that is shown at a time."""
        return round((time - self.start) / self.step)


def timing_of(times: Sequence[float], step: float, end: float | None = None) -> Timing:
    """Choose a rate for frames.

    Frames at about even times have their own. Others get that of most of
    them.

    Args:
        times (Sequence[float]): Seconds at which the frames are shown, rising;
            one or more.
        step (float): Seconds between frames that the file states.
        end (float, optional): When the last frame ends. Defaults to None,
            after a step.

    Returns:
        Timing: The rate.
    """
    count, start = len(times), times[0]
    gaps = [b - a for a, b in zip(times, times[1:])]
    mean = sum(gaps) / len(gaps) if gaps else step
    late = [time - mean * i for i, time in enumerate(times)]
    varies = max(late) - min(late)
    stays = mean if end is None or not gaps else end - times[-1]
    if mean > 0 and varies < 0.75 * mean and abs(stays - mean) < 0.75 * mean:
        # the stated one is exact where times are whole milliseconds
        return Timing(step if abs(step / mean - 1) < 0.01 else mean, count, start)
    step = max(median(gaps), 1e-3)
    timing = Timing(step, 0, start, even=False)
    slots = [timing.slot(time) for time in times]
    timing.last = 1 if end is None else max(round((end - start) / step) - slots[-1], 1)
    timing.count = slots[-1] + timing.last
    shown = len(set(slots))
    timing.changes = timing.count - shown, count - shown
    return timing


def at_rate(frames: Iterator[Timed], timing: Timing) -> Iterator[np.ndarray]:
    """Repeat and leave out frames so that they come at one rate.

    A frame that is shown longer is repeated; of several in one place the last
    stays.

    Args:
        frames (Iterator[tuple[float, np.ndarray]]): When each frame is shown,
            and its pixels.
        timing (Timing): The rate.

    Yields:
        np.ndarray: The pixels at that rate.
    """
    due, held = 0, None
    for time, frame in frames:
        if timing.even:
            yield frame
            continue
        while held is not None and due < timing.slot(time):
            yield held
            due += 1
        held = frame
    if held is not None:
        for _ in range(timing.last):
            yield held


def explain(path: Path, timing: Timing) -> None:
    """Tell that frames are repeated or left out, where they are.

    Args:
        path (Path): Whose frames they are.
        timing (Timing): Their rate.
    """
    if not timing.even:
        repeated, omitted = timing.changes
        print_log(
            f'The frames of {path} come at varying times. They are taken at '
            f'{1 / timing.step:.4g} frames/s: {repeated} are repeated and {omitted} left out.',
            'current',
        )
