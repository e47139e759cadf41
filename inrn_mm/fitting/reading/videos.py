"""Video files, by PyAV."""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .orientation import oriented
from .rate import Timed, Timing, timing_of

# The turns and mirrorings of a display matrix, as Exif's orientations.
TURNS = {
    (1, 0, 0, 1): 1,
    (-1, 0, 0, 1): 2,
    (-1, 0, 0, -1): 3,
    (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5,
    (0, 1, -1, 0): 6,
    (0, -1, -1, 0): 7,
    (0, -1, 1, 0): 8,
}
TS_PACKETS = (188, 192, 204)  # bytes
Y4M_HEADER = 256  # of a frame, at most


def time_video(path: Path, limit: int | None = None) -> Timing:
    """Find when the frames of a video are shown, without decoding them.

    Args:
        path (Path): The file.
        limit (int, optional): Look at about so many frames only.
            Defaults to None, all.

    Returns:
        Timing: Their times, at one rate.

    Raises:
        ImportError: Without PyAV.
        ValueError: If it is no video, or has no frames.
    """
    try:
        import av
    except ImportError as error:
        raise ImportError(
            'Reading a video needs PyAV: pip install av, or give a folder of frames.'
        ) from error
    times: list[float | None] = []
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            step = 1 / float(stream.average_rate or 24)
            for packet in _readable_packets(container, stream):
                time = packet.pts
                times.append(None if time is None else float(time * stream.time_base))
                # not in the order in which they are shown
                if limit is not None and len(times) > limit + 64:
                    break
    except (av.FFmpegError, IndexError) as error:
        raise ValueError(
            f'{path} is not a video that can be read, or is cut short ({type(error).__name__}).'
        ) from error
    if not times:
        raise ValueError(f'{path} has no frames.')
    known = sorted(time for time in times if time is not None)
    if len(known) < len(times):  # a stream without a container
        known = [step * i for i in range(len(times))]
    return timing_of(known, step)


def decode_video(path: Path, timing: Timing, stride: int = 1) -> Iterator[Timed]:
    """Decode the frames of a video, to the end that its header names.

    Args:
        path (Path): The file.
        timing (Timing): What :func:`time_video` found.
        stride (int): Every so many frames are taken; for messages.
            Defaults to 1.

    Yields:
        tuple[float, np.ndarray]: When the frame is shown, in seconds, and its
        pixels ``(H, W, C)``, turned as the file says: uint8, or uint16 for a
        video of more bits; C is 4 with transparency, else 3.

    Raises:
        ValueError: If it is damaged or cut short.
    """
    import av

    number, time = 0, timing.start
    try:
        for time, pixels in _decode(path, timing.step):
            yield time, pixels
            number += 1
    except (av.FFmpegError, EOFError) as error:
        reason = error if isinstance(error, EOFError) else type(error).__name__
        # at an uneven rate it takes the next frame to know how long one stays
        good = number if timing.even else timing.slot(time)
        cure = 'get it again'
        if good > 0:
            taken = (good - 1) // stride + 1
            cure += f', or take the first {taken} by --frames {taken}'
        raise ValueError(f'{path} is cut short or damaged ({reason}): {cure}.') from error


def _readable_packets(container, stream) -> Iterator:
    """Yield what is to be shown, as far as it can be read."""
    import av

    try:
        for packet in container.demux(stream):
            if packet.size and not packet.is_discard:
                yield packet
    except av.FFmpegError:
        return  # told as the frames are decoded


def _decode(path: Path, step: float) -> Iterator[Timed]:
    """Decode; an EOFError says what is missing."""
    import av

    end, last = 0.0, 0  # seconds, bytes
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stated = _stated_end(stream, container.format.name)
        for packet in container.demux(stream):
            if packet.is_corrupt:
                raise EOFError('a part of it is missing or changed')
            if packet.size and packet.pos is not None:
                last = packet.pos + packet.size
            for frame in packet.decode():
                if frame.is_corrupt:
                    raise EOFError('the next frame lacks a part')
                time = end if frame.pts is None else float(frame.pts * stream.time_base)
                yield time, _pixels(frame, path)
                length = getattr(frame, 'duration', None)
                # AVI has no times of its own, and FFmpeg's guesses need not rise
                end = max(end, time + (float(length * stream.time_base) if length else step))
        size, form = path.stat().st_size, container.format.name
    # the last frame's length is not always known
    if stated and end < stated - 1.5 * step:
        raise EOFError(f'it ends at {end:.2f} of the {float(stated):.2f} seconds that it states')
    if form == 'mpegts' and all(size % length for length in TS_PACKETS):
        raise EOFError('its last packet is not whole')
    if form == 'yuv4mpegpipe' and size - last > Y4M_HEADER:
        raise EOFError('its last frame is not whole')


def _pixels(frame, path: Path) -> np.ndarray:
    """Convert a frame to RGB or RGBA, and turn it as its display matrix says."""
    parts = frame.format.components
    colours = 'rgba' if any(part.is_alpha for part in parts) else 'rgb'
    if any(part.bits > 8 for part in parts):
        pixels = frame.to_ndarray(format=f'{colours}{16 * len(colours)}le')
    else:
        pixels = frame.to_ndarray(format='rgb24' if colours == 'rgb' else 'rgba')
    matrix = frame.side_data.get('DISPLAYMATRIX')
    if matrix is None:
        return pixels
    a, b, _, c, d, *_ = struct.unpack('=9i', bytes(matrix))
    turn = tuple(round(value / 2**16) for value in (a, b, c, d))
    if turn not in TURNS:
        raise ValueError(
            f'{path} is to be shown at an angle or scaled (display matrix {turn}), which is not '
            f'done here: convert it by "ffmpeg -i {path.name} turned.mp4" first.'
        )
    return np.ascontiguousarray(oriented(pixels, TURNS[turn]))


def _stated_end(stream, container: str) -> float | None:
    """Find when the last frame ends, in seconds, if the header says so."""
    start = (stream.start_time or 0) * stream.time_base
    if 'mp4' in container and stream.duration:
        # not its number of frames: an edit list may leave some out
        return start + stream.duration * stream.time_base
    if stream.frames and stream.average_rate:
        return start + stream.frames / stream.average_rate
    try:  # Matroska and WebM
        hours, minutes, seconds = stream.metadata['DURATION'].split(':')
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except (KeyError, ValueError):
        return None
