"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table.

    Args:
        titles (Sequence[str]): Title of each column.
        rows (Iterable[Sequence[str]]): Rows with a cell for each column.

    Returns:
        str: Lines without an end of the last one.
    """
    lines = [titles, *rows]
    text = ['| ' + ' | '.join(line) + ' |' for line in lines]
    return '\n'.join([text[0], '|' + '---|' * len(titles), *text[1:]])
