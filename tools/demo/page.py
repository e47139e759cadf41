"""A report as one self-contained HTML page."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment
from matplotlib.figure import Figure

from inrn_mm.utils.whole_file import whole_file

from .page_template import TEMPLATE


class ReportPage:
    """Collects blocks, section by section, and writes the page.

    Everything is embedded: plots as SVG, pictures as JPEG, no scripts, no
    links to other files. Texts are escaped.

    Args:
        title (str): Heading of the page.
        lead (str): One or two sentences below it. Defaults to ''.
        facts (dict[str, str], optional): Name to value, the key figures shown
            on top. Defaults to None.

    Examples:
        >>> page = ReportPage('Demo', facts={'AP50': '0.71'})
        >>> page.section('Results')
        >>> page.table(['model', 'AP'], [['INRN-M', '0.41']])
        >>> page.write('report.html')
    """

    def __init__(self, title: str, lead: str = '', facts: dict[str, str] | None = None) -> None:
        self.title = title
        self.lead = lead
        self.facts = facts or {}
        self.sections: list[dict] = []

    def section(self, title: str, text: str = '') -> None:
        """Begin a section with a heading and a paragraph.

        Args:
            title (str): Heading.
            text (str): Paragraph below it. Defaults to ''.
        """
        self.sections.append(dict(title=title, text=text, blocks=[]))

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        caption: str = '',
        best: Sequence[tuple[int, int]] = (),
    ) -> None:
        """Add a table; the first column is its rows' heading.

        Args:
            columns (Sequence[str]): Headings.
            rows (Sequence[Sequence[str]]): Cells, as shown.
            caption (str): Shown below. Defaults to ''.
            best (Sequence[tuple[int, int]]): (row, column) of the cells set
                in bold. Defaults to ().

        Raises:
            ValueError: If a row has not one cell for each column.
        """
        for row in rows:
            if len(row) != len(columns):
                raise ValueError(
                    f'A row has {len(row)} cells, the table {len(columns)} columns: {list(row)}'
                )
        self._add('table', columns=columns, rows=rows, caption=caption, best=set(best))

    def figure(self, figure: Figure, caption: str = '') -> None:
        """Add a matplotlib figure, as SVG.

        Args:
            figure (Figure): The figure.
            caption (str): Shown below. Defaults to ''.
        """
        buffer = io.BytesIO()
        figure.savefig(buffer, format='svg', bbox_inches='tight', metadata={'Date': None})
        self._add('figure', source=_data_uri('image/svg+xml', buffer.getvalue()), caption=caption)

    def pictures(
        self, columns: Sequence[str], rows: Sequence[Sequence[np.ndarray]], caption: str = ''
    ) -> None:
        """Add a grid of pictures.

        Args:
            columns (Sequence[str]): Heading of each column.
            rows (Sequence[Sequence[ndarray]]): uint8 BGR pictures of shape
                (H, W, 3), row by row.
            caption (str): Shown below. Defaults to ''.
        """
        self._add(
            'pictures',
            columns=columns,
            rows=[[picture_uri(picture) for picture in row] for row in rows],
            caption=caption,
        )

    def commands(self, commands: Sequence[tuple[str, str]]) -> None:
        """Add commands to copy.

        Args:
            commands (Sequence[tuple[str, str]]): What each does, and the
                command.
        """
        self._add('commands', commands=commands)

    def _add(self, kind: str, **content) -> None:
        if not self.sections:
            self.section('')
        self.sections[-1]['blocks'].append(dict(kind=kind, **content))

    def render(self) -> str:
        """str: The page."""
        template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
            TEMPLATE
        )
        return template.render(
            title=self.title, lead=self.lead, facts=self.facts, sections=self.sections
        )

    def write(self, path: str | Path) -> Path:
        """Write the page; a reader never sees half of it.

        Args:
            path (str | Path): The file; its folder is made.

        Returns:
            Path: The same.
        """
        with whole_file(path) as part:
            part.write_text(self.render(), encoding='utf-8')
        return Path(path)


def picture_uri(picture: np.ndarray) -> str:
    """Embed a uint8 BGR picture of shape (H, W, 3) as a JPEG data URI."""
    encoded = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    return _data_uri('image/jpeg', encoded.tobytes())


def _data_uri(mime: str, content: bytes) -> str:
    return f'data:{mime};base64,{base64.b64encode(content).decode()}'
