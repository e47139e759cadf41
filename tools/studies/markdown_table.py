"""Tables in Markdown, and pages that hold them."""

from collections.abc import Iterable, Sequence
from pathlib import Path


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


def marks(tool: str) -> tuple[str, str]:
    """Name the lines of a page between which a tool writes.

    Args:
        tool (str): Name of the script.
    """
    return f'<!-- {tool}: begin -->', f'<!-- {tool}: end -->'


def write_between(page: Path, tool: str, text: str) -> None:
    """Put text between a tool's marks on a page.

    Args:
        page (Path): Written; made if it is not there.
        tool (str): Name of the script.
        text (str): The text.

    Raises:
        SystemExit: If the page has no marks.
    """
    begin, end = marks(tool)
    old = page.read_text() if page.exists() else f'{begin}\n{end}\n'
    if begin not in old or end not in old:
        raise SystemExit(f'error: {page} has no lines {begin} and {end} to write between.')
    before, after = old.split(begin)[0], old.split(end)[1]
    page.write_text(f'{before}{begin}\n{text}\n{end}{after}')
