"""Tables in the terminal."""

from collections.abc import Sequence

# key of a row, title, format
Column = tuple[str, str, str]


def print_table(rows: list[dict], columns: Sequence[Column]) -> None:
    """Print rows under titles, numbers to the right.

    Args:
        rows (list[dict]): What a row does not have is left empty.
        columns (Sequence[tuple]): Key, title and format of each column; only
            those that some row has are printed.
    """
    columns = [c for c in columns if any(r.get(c[0]) is not None for r in rows)]
    cells: list[dict[str, str]] = [
        {key: '' if row.get(key) is None else format(row[key], form) for key, _, form in columns}
        for row in rows
    ]
    widths = {
        key: max(len(title), *(len(cell[key]) for cell in cells)) for key, title, _ in columns
    }
    text = {key for key, _, form in columns if not form}
    for line in [{key: title for key, title, _ in columns}, *cells]:
        print(
            '  '.join(
                line[key].ljust(widths[key]) if key in text else line[key].rjust(widths[key])
                for key, _, _ in columns
            ).rstrip()
        )
