"""What is found in a data set, grouped and ordered by how bad it is."""

from collections.abc import Iterator
from dataclasses import dataclass, field

# Worst first. What ends a run; what lets it go on to a wrong result; what is
# probably not meant; what is good to know.
SEVERITIES = ('fatal', 'error', 'warning', 'note')
KEPT = 20  # items named for each kind of finding
NAMED = 3  # of them in a sentence


@dataclass
class Finding:
    """One kind of fault in one file.

    Args:
        severity (str): One of ``SEVERITIES``.
        text (str): What is wrong, and what comes of it.
        cure (str): What to do.
        file (str): Path of the file. Defaults to '', where it is in the text.
        items (list[str]): The first of the places, e.g. an image and the id
            of its annotation. Defaults to none: the whole file.
        count (int): Number of places. Defaults to 0.
    """

    severity: str
    text: str
    cure: str
    file: str = ''
    items: list[str] = field(default_factory=list)
    count: int = 0

    def sentence(self) -> str:
        """Say all of it in a sentence or two."""
        where = f'{self.file}: ' if self.file else ''
        items = '; '.join(self.items[:NAMED])
        if self.count > len(self.items[:NAMED]):
            items += f' and {self.count - len(self.items[:NAMED])} more'
        return f'{where}{self.text}{f" ({items})" if items else ""}: {self.cure}.'


class Findings:
    """A collection that counts what is alike.

    Examples:
        >>> found = Findings()
        >>> found.add('fatal', 'a box has three numbers', 'give it four', 'a.json', 'annotation 7')
        >>> found.add('fatal', 'a box has three numbers', 'give it four', 'a.json', 'annotation 9')
        >>> [finding.count for finding in found]
        [2]
    """

    def __init__(self) -> None:
        self._kinds: dict[tuple, Finding] = {}

    def add(self, severity: str, text: str, cure: str, file: str = '', item: str = '') -> None:
        """Add one place; see :class:`Finding` for the arguments.

        Args:
            severity (str): How bad it is.
            text (str): The same for all places of a kind.
            cure (str): What to do.
            file (str): Path. Defaults to ''.
            item (str): The place in the file. Defaults to ''.
        """
        kind = self._kinds.setdefault(
            (SEVERITIES.index(severity), text, file), Finding(severity, text, cure, file)
        )
        if item:
            kind.count += 1
            if len(kind.items) < KEPT:
                kind.items.append(item)

    def extend(self, others: 'Findings') -> None:
        """Add all of another collection.

        Args:
            others (Findings): For example, of another process.
        """
        for key, other in others._kinds.items():
            mine = self._kinds.setdefault(
                key, Finding(other.severity, other.text, other.cure, other.file)
            )
            mine.items = (mine.items + other.items)[:KEPT]
            mine.count += other.count

    def __iter__(self) -> Iterator[Finding]:
        """Iterate over the kinds, worst first."""
        return iter([self._kinds[key] for key in sorted(self._kinds, key=lambda key: key[0])])

    def __len__(self) -> int:
        return len(self._kinds)

    def of(self, *severities: str) -> list[Finding]:
        """Pick the kinds of some severities.

        Args:
            *severities (str): Some of ``SEVERITIES``.

        Returns:
            list[Finding]: Worst first.
        """
        return [finding for finding in self if finding.severity in severities]
