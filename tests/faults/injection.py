"""Faults, and what became of them."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from inrn_mm.utils.user_error import explain

# What a fault does when it is injected: it returns whether all is as it
# should be, or raises.
Fault = tuple[str, Callable[[], bool]]
Area = Callable[[int, random.Random, Path], Iterator[Fault]]


@dataclass
class Tally:
    """Counts of one kind of fault.

    Args:
        said (int): Ended in a sentence.
        harmless (int): Did no harm.
        lost (list[str]): What became of the others.
    """

    said: int = 0
    harmless: int = 0
    lost: list[str] = field(default_factory=list)

    @property
    def injected(self) -> int:
        """int: All of them."""
        return self.said + self.harmless + len(self.lost)


def inject(area: Area, count: int, folder: Path, seed: int = 0) -> dict[str, Tally]:
    """Inject the faults of an area.

    Args:
        area (Callable): Gives the faults.
        count (int): How many, about.
        folder (Path): An empty one.
        seed (int): Of the choice of faults. Defaults to 0.

    Returns:
        dict[str, Tally]: By the kind of fault.
    """
    tallies: dict[str, Tally] = {}
    for kind, fault in area(count, random.Random(seed), folder):
        tally = tallies.setdefault(kind, Tally())
        try:
            harmless = fault()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of Rust is no Exception
            said = explain(error)
            if said is None or '\n' in said.strip():
                tally.lost.append(f'{type(error).__name__}: {str(error)[:200]}')
            else:
                tally.said += 1
            continue
        if harmless:
            tally.harmless += 1
        else:
            tally.lost.append('a wrong result without a word')
    return tallies


def damaged(data: bytes, rng: random.Random) -> tuple[str, bytes]:
    """A file with one thing wrong.

    Args:
        data (bytes): Of the file.
        rng (Random): Chooses.

    Returns:
        tuple[str, bytes]: What was done, and the other content.
    """
    place = rng.randrange(len(data))
    kind = rng.choice(['a bit', 'a bit', 'bytes', 'cut', 'zeros', 'doubled'])
    if kind == 'a bit':
        other = bytes([data[place] ^ 1 << rng.randrange(8)])
        return 'a bit flipped', data[:place] + other + data[place + 1 :]
    if kind == 'bytes':
        return 'bytes overwritten', data[:place] + rng.randbytes(8) + data[place + 8 :]
    if kind == 'cut':
        return 'truncated', data[:place]
    if kind == 'zeros':
        size = min(rng.randrange(1, 4096), len(data) - place)
        return 'a block of zeros', data[:place] + bytes(size) + data[place + size :]
    return 'a block written twice', data[:place] + data[max(0, place - 512) :]
