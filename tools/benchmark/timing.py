"""Times and memory of functions that are compared with each other."""

import gc
import statistics
import time
from collections.abc import Callable

import torch

Task = Callable[[], object]


def synchronize(device: str) -> None:
    """Wait for a GPU; nothing on a CPU."""
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)


def interleave(
    tasks: dict[str, Task], iters: int, warmup: int = 2, device: str = 'cpu'
) -> dict[str, list[float]]:
    """Time tasks in turn, A B A B, so that a slower minute meets all of them.

    Args:
        tasks (dict[str, Callable]): Functions without arguments.
        iters (int): Rounds, of one call of each task.
        warmup (int): Rounds before them that are not timed. Defaults to 2.
        device (str): A GPU is waited for. Defaults to ``'cpu'``.

    Returns:
        dict[str, list[float]]: Seconds of each round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in tasks}
    for i in range(warmup + iters):
        for name, task in tasks.items():
            gc.collect()
            gc.disable()  # not while the clock runs
            try:
                synchronize(device)
                start = time.perf_counter()
                task()
                synchronize(device)
                elapsed = time.perf_counter() - start
            finally:
                gc.enable()
            if i >= warmup:
                seconds[name].append(elapsed)
    return seconds


def median(seconds: list[float]) -> float:
    """Compute the median."""
    return statistics.median(seconds)


def ratio(seconds: list[float], base: list[float]) -> dict[str, float]:
    """Compute how many times longer one task takes than another.

    Args:
        seconds (list[float]): Times of one task, from :func:`interleave`.
        base (list[float]): Times of the other task, from the same call.

    Returns:
        dict: Median of the rounds' ratios, and their quartiles ``low`` and
        ``high``.
    """
    ratios = [a / b for a, b in zip(seconds, base)]
    low = high = ratios[0]
    if len(ratios) > 1:
        low, _, high = statistics.quantiles(ratios, n=4, method='inclusive')
    return dict(ratio=median(ratios), low=low, high=high)


def peak_memory(task: Task, device: str = 'cpu') -> int | None:
    """Measure the most that a task allocates at a time, beyond what was there.

    On a CPU the profiler tells what goes through torch's allocator; buffers
    that oneDNN keeps for itself are not seen.

    Args:
        task (Callable): Called once; call it before, so that what it keeps
            from call to call (gradients) is there.
        device (str): Defaults to ``'cpu'``.

    Returns:
        int: Bytes.
    """
    gc.collect()
    if torch.device(device).type == 'cuda':
        synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        task()
        synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    from torch.profiler import ProfilerActivity, profile

    # only what is allocated below counts as freed: not an earlier profile's
    task()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        task()
    events = profiler.profiler.kineto_results.events()
    # torch 2.1 counts in microseconds; sorting keeps the order of equals
    start = 'start_ns' if hasattr(events[0], 'start_ns') else 'start_us'
    changes = [
        (getattr(event, start)(), event.nbytes()) for event in events if event.name() == '[memory]'
    ]
    held = peak = 0
    for _, size in sorted(changes, key=lambda change: change[0]):
        held += size
        peak = max(peak, held)
    return peak


def module_bytes(module: torch.nn.Module) -> int:
    """Count the bytes of a module's parameters and buffers."""
    return sum(x.numel() * x.element_size() for x in [*module.parameters(), *module.buffers()])
