"""Training steps of several processes beside those of one.

Each process has a batch of its own. The steps of one process, which is in no
group, and those of the group take turns: a process that is not asked for waits
without using the machine.
"""

import argparse
import multiprocessing
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from multiprocessing.connection import Connection

import torch
from mmengine.model import MMDistributedDataParallel
from torch import nn

from inrn_mm.engine.devices import OWN_BUFFERS, CPUDistributedDataParallel, check_devices, free_port
from inrn_mm.utils.machine import describe

from .distill import make_distiller, make_step, read_model
from .peers import plain_student
from .samples import random_batch
from .timing import interleave, median, ratio, synchronize

COLUMNS = [
    ('name', 'training step', ''),
    ('seconds', 'seconds', '.3f'),
    ('images', 'images/s', '.2f'),
    ('one', 'x one process', '.3f'),
    ('low', 'quartiles', '.3f'),
    ('high', '', '.3f'),
]


def run(args: argparse.Namespace) -> dict:
    """Time the steps.

    Args:
        args (Namespace): ``config`` of a distilled training, ``processes``,
            ``size``, ``batch`` of each process, ``iters``, ``warmup``,
            ``device``, ``amp`` and ``threads`` of each process.

    Returns:
        dict: The rows, and the megabytes of gradients that a step exchanges.

    Raises:
        ValueError: If there are not two processes or more.
        RuntimeError: If a process fails, or there are fewer GPUs.
    """
    if args.processes < 2:
        raise ValueError(f'Give two --processes or more, not {args.processes}.')
    if torch.device(args.device).type == 'cuda':
        check_devices(args.processes)
    if not args.threads:
        args.threads = max(torch.get_num_threads() // args.processes, 1)
    torch.set_num_threads(args.threads)  # for describe
    port = free_port()
    with ExitStack() as stack:
        one, *group = [
            stack.enter_context(_Worker(rank, port, args))
            for rank in (None, *range(args.processes))
        ]
        for worker in (one, *group):
            size = worker.reply()
        tasks: dict[str, Callable] = {}
        for name in ('student alone', 'ours'):
            tasks[name, 'one process'] = _task([one], name)
            tasks[name, 'nothing exchanged'] = _task(group, name, 'no_sync')
            tasks[name, f'{args.processes} processes'] = _task(group, name)
        seconds = interleave(tasks, args.iters, args.warmup)
    rows = []
    for (name, how), own in seconds.items():
        found = ratio(own, seconds[name, 'one process'])
        count = 1 if how == 'one process' else args.processes
        rows.append(
            dict(
                name=f'{name}, {how}',
                seconds=median(own),
                images=count * args.batch / median(own),
                one=found['ratio'],
                low=found['low'],
                high=found['high'],
                all_seconds=own,
            )
        )
    return dict(rows=rows, gradient_megabytes=size / 1e6, machine=describe(args.device))


def _task(workers: list['_Worker'], *command: str) -> Callable[[], None]:
    """Make a task that all processes do at the same time."""

    def task() -> None:
        for worker in workers:
            worker.connection.send(command)
        for worker in workers:
            worker.reply()

    return task


class _Worker:
    """A process that does the steps it is told to.

    Args:
        rank (int, optional): In the group; None for the one in no group.
        port (int): Where the group meets.
        args (Namespace): The arguments of :func:`run`.
    """

    def __init__(self, rank: int | None, port: int, args: argparse.Namespace) -> None:
        # torch's threads and CUDA do not survive a fork
        context = multiprocessing.get_context('spawn')
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, rank, port, args), daemon=True)
        self.process.start()
        other.close()

    def __enter__(self) -> '_Worker':
        return self

    def __exit__(self, *args) -> None:
        self.process.kill()
        self.process.join()

    def reply(self) -> object:
        """Return what the process answers; raise its errors."""
        try:
            answer = self.connection.recv()
        except EOFError:
            self.process.join()
            raise RuntimeError(
                f'A process of the benchmark ended with exit code {self.process.exitcode}.'
            ) from None
        if isinstance(answer, Exception):
            raise answer
        return answer


def _work(connection: Connection, rank: int | None, port: int, args: argparse.Namespace) -> None:
    """Send how much is exchanged, then step whenever asked to."""
    try:
        answer: object = None
        steps = _steps(rank, port, args)
        model = steps['ours'].model
        answer = sum(p.numel() * p.element_size() for p in model.parameters() if p.requires_grad)
        while True:
            connection.send(answer)
            name, *how = connection.recv()
            steps[name](*how)
            answer = None
    except Exception as error:  # for the process that asked
        connection.send(error)


class _Step:
    """A training step, with or without the exchange of gradients."""

    def __init__(self, model: nn.Module, data: dict, args: argparse.Namespace) -> None:
        self.model = model
        self.device = args.device
        self.step = make_step(model, data, args)

    def __call__(self, how: str | None = None) -> None:
        with self.model.no_sync() if how == 'no_sync' else nullcontext():
            self.step()
        synchronize(self.device)


def _steps(rank: int | None, port: int, args: argparse.Namespace) -> dict[str, _Step]:
    """Make the steps of the student and of the distiller."""
    torch.set_num_threads(args.threads)
    cuda = torch.device(args.device).type == 'cuda'
    index = rank or 0
    if cuda:
        torch.cuda.set_device(index)
    if rank is not None:
        torch.distributed.init_process_group(
            'nccl' if cuda else 'gloo',
            init_method=f'tcp://127.0.0.1:{port}',
            rank=rank,
            world_size=args.processes,
        )
    cfg, package = read_model(args.config)
    ours = make_distiller(cfg)
    data = random_batch(package, args.batch, args.size)
    models = {'student alone': plain_student(ours.student), 'ours': ours}
    steps = {}
    for name, model in models.items():
        model.to(args.device)
        if rank is not None:
            model = (
                MMDistributedDataParallel(model, device_ids=[index], **OWN_BUFFERS)
                if cuda
                else CPUDistributedDataParallel(model)
            )
        steps[name] = _Step(model, data, args)
    return steps
