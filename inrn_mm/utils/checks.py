"""Numbers that a constructor is given, refused where they mean nothing."""

import math
import numbers

MOST = 2**31 - 1  # what torch takes for a size
WIDEST = 2**20  # channels; more of them overflow the size of a weight


def check_number(
    name: str,
    value: float,
    least: float = -math.inf,
    below: float = math.inf,
    above: float = -math.inf,
) -> None:
    """Refuse what is no finite number within bounds.

    Args:
        name (str): Name of the argument.
        value (float): What was given.
        least (float): Smallest value allowed. Defaults to none.
        below (float): What it must be smaller than. Defaults to none.
        above (float): What it must be larger than. Defaults to none.

    Raises:
        ValueError: If it is none.
    """
    if (
        isinstance(value, numbers.Real)
        and math.isfinite(value)
        and above < value < below
        and value >= least
    ):
        return
    bounds = (('above', above), ('at least', least), ('below', below))
    wanted = ' and '.join(f'{word} {bound}' for word, bound in bounds if math.isfinite(bound))
    raise ValueError(f'{name} must be a finite number {wanted}'.strip() + f', got {value!r}.')


def check_whole(name: str, value: int, least: int = 0, most: int = MOST) -> None:
    """Refuse what is no whole number within bounds.

    Args:
        name (str): Name of the argument.
        value (int): What was given.
        least (int): Smallest value allowed. Defaults to 0.
        most (int): Largest value allowed. Defaults to the largest size of a tensor.

    Raises:
        ValueError: If it is none.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if whole and least <= value <= most:
        return
    bound = f'at most {most}' if whole and value > most else f'at least {least}'
    raise ValueError(f'{name} must be a whole number of {bound}, got {value!r}.')
