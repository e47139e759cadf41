"""Damaged and hostile checkpoint files, and resuming beside them."""

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from mmengine.logging import HistoryBuffer

from inrn_mm.engine import find_last_checkpoint, load_state

from .injection import Fault, damaged


def content(epoch: int = 1) -> dict:
    """As a runner writes it."""
    return dict(
        meta=dict(epoch=epoch, iter=3 * epoch, cfg='model = dict()', seed=np.int64(3)),
        state_dict={f'layers.{i}': torch.arange(40.0) + i for i in range(4)},
        message_hub=dict(loss=HistoryBuffer([1.0, 2.0], [1, 1]), info=np.arange(3)),
        optimizer=dict(state={0: dict(step=torch.tensor(3.0))}, param_groups=[]),
    )


def same(read: dict, epoch: int = 1) -> bool:
    """Whether all that counts is as it was written."""
    expected = content(epoch)
    return (
        read['meta'] == expected['meta']
        and all(torch.equal(read['state_dict'][k], v) for k, v in expected['state_dict'].items())
        and (read['message_hub']['info'] == expected['message_hub']['info']).all()
        and read['optimizer']['state'][0]['step'] == 3
    )


def reading(count: int, rng: random.Random, folder: Path) -> Iterator[Fault]:
    """Files as a disk, a network or an editor leaves them."""
    path = folder / 'a.pth'
    torch.save(content(), path)
    data = path.read_bytes()
    for _ in range(count):
        kind, other = damaged(data, rng)

        def read(other: bytes = other) -> bool:
            path.write_bytes(other)
            return same(load_state(path))

        yield kind, read


class Call:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *args, state=None) -> None:
        self.reduced = (function, args) if state is None else (function, args, state)

    def __reduce__(self) -> tuple:
        return self.reduced


def hostile(count: int, rng: random.Random, folder: Path) -> Iterator[Fault]:
    """Files that want code run, or memory of the process."""
    mark = folder / 'ran'
    flags = (3, '|', None, None, None, -1, -1)
    makers = [
        lambda: Call(os.system, f'touch {mark}'),
        lambda: Call(eval, f'open({str(mark)!r}, "w")'),
        lambda: Call(getattr, HistoryBuffer, rng.choice(['__init__', '__class__', 'mro'])),
        lambda: Call(np.ndarray, (1,), 'O', rng.randbytes(8)),
        lambda: Call(np.dtype, rng.choice(['O8', 'V8', 'S8', 'U2', 'M8[s]']), False, True,
                     state=(*flags, rng.randrange(256))),
        lambda: Call(__import__, 'this'),
        lambda: Call(torch.load, str(folder / 'b.pth')),
    ]  # fmt: skip
    for i in range(count):
        maker = makers[i % len(makers)]

        def read(made=maker, old=bool(i % 2)) -> bool:
            path = folder / 'hostile.pth'
            torch.save(dict(content(), more=made()), path, _use_new_zipfile_serialization=not old)
            try:
                load_state(path)
            finally:
                assert not mark.exists(), 'code of the file ran'
            return False  # it was to be refused

        yield 'a hostile pickle', read


def resuming(count: int, rng: random.Random, folder: Path) -> Iterator[Fault]:
    """The last of three checkpoints, or what points to it, is damaged."""
    paths = [folder / f'epoch_{epoch}.pth' for epoch in (1, 2, 3)]
    pointer = folder / 'last_checkpoint'
    good = []
    for epoch, path in enumerate(paths, 1):
        torch.save(content(epoch), path)
        good.append(path.read_bytes())
    for i in range(count):
        kind, other = damaged(good[2], rng)

        def resume(other: bytes = other) -> bool:
            paths[2].write_bytes(other)
            pointer.write_text(str(paths[2]))
            found = find_last_checkpoint(folder)
            epoch = load_state(found)['meta']['epoch']
            return same(load_state(found), epoch) and epoch >= 2

        def follow(text: bytes = damaged(str(paths[2]).encode() * 3, rng)[1]) -> bool:
            paths[2].write_bytes(good[2])
            pointer.write_bytes(text)
            return find_last_checkpoint(folder) in map(str, paths)

        yield ('the pointer damaged', follow) if i % 4 == 3 else (f'the last one: {kind}', resume)


def system(count: int, rng: random.Random, folder: Path) -> Iterator[Fault]:
    """What the system says while a good file is read: never 'delete it'."""
    path = folder / 'epoch_1.pth'
    torch.save(content(), path)
    numbers = [errno.EACCES, errno.EMFILE, errno.EIO, errno.ESTALE, errno.ENFILE, errno.EPERM]
    for i in range(count):

        def read(number: int = numbers[i % len(numbers)]) -> bool:
            failure = OSError(number, os.strerror(number))
            with mock.patch('builtins.open', side_effect=failure):
                try:
                    find_last_checkpoint(folder)
                except OSError as error:
                    if 'delete' not in str(error):
                        raise
            return False

        yield 'an error of the system', read
