"""What a user of the demo chooses."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoOptions:
    """Options that all tasks share.

    Args:
        quick (bool): Only show that everything runs, in about a minute.
            Defaults to False.
        mask (bool): Instance masks beside boxes. Defaults to False.
        seed (int): Seed of the data and the trainings. Defaults to 0.
    """

    quick: bool = False
    mask: bool = False
    seed: int = 0
