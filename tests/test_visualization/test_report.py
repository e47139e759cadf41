"""The report page: self-contained, escaped, whole."""

import base64
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from inrn_mm.visualization.curves import COLOURS, plot_curves
from inrn_mm.visualization.detections import DetectionPainter
from tools.demo.page import ReportPage, picture_uri


class Reader(HTMLParser):
    """Collects tags and text, and fails on tags that do not match."""

    VOID = {'meta', 'img', 'link', 'br'}

    def __init__(self):
        super().__init__()
        self.stack, self.attributes, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.attributes.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if data.strip():
            self.text.append(data.strip())


def read(page):
    reader = Reader()
    reader.feed(page.render())
    assert not reader.stack
    return reader


@pytest.fixture
def page():
    page = ReportPage('Title', 'A lead.', {'AP50': '0.61'})
    page.section('Results', 'Some words.')
    page.table(['model', 'AP'], [['a', '0.4'], ['b', '0.5']], best=[(1, 1)])
    page.figure(plot_curves({'loss': {'a': [(0, 1), (1, 0.5)]}}), 'Losses.')
    page.pictures(['truth', 'found'], [[np.full((4, 6, 3), v, np.uint8) for v in (0, 255)]])
    page.commands([('Train', 'python tools/train.py CONFIG')])
    return page


def test_page_needs_no_other_file(page):
    tags = read(page).attributes
    assert not {'script', 'link', 'iframe'} & {tag for tag, _ in tags}
    sources = [a['src'] for tag, a in tags if tag == 'img']
    assert len(sources) == 3
    assert all(s.startswith('data:image/') for s in sources)
    assert not re.search(r'url\(|@import', page.render())


def test_everything_added_is_on_the_page(page):
    text = read(page).text
    for words in (
        'Title',
        'A lead.',
        'AP50',
        '0.61',
        'Results',
        'Some words.',
        'model',
        '0.4',
        'Losses.',
        'truth',
        'found',
        'python tools/train.py CONFIG',
    ):
        assert words in text


def test_best_cells_are_marked(page):
    html = page.render()
    assert '<td class="best">0.5</td>' in html
    assert '<td>0.4</td>' in html


def test_texts_are_escaped():
    page = ReportPage('<script>alert(1)</script>')
    page.table(['a'], [['<b>&']])
    page.commands([('x', 'a && b > "c"')])
    reader = read(page)
    assert not {'script', 'b'} & {tag for tag, _ in reader.attributes}
    assert 'a && b > "c"' in reader.text


def test_row_of_wrong_length_is_refused():
    page = ReportPage('')
    with pytest.raises(ValueError, match='A row has 1 cells, the table 2'):
        page.table(['a', 'b'], [['only one']])


def test_page_is_replaced_as_a_whole(page, tmp_path):
    path = tmp_path / 'new' / 'report.html'
    page.write(path)
    page.write(path)
    assert path.read_text() == page.render()
    assert [p.name for p in path.parent.iterdir()] == ['report.html']


def test_embedded_picture_is_the_picture():
    picture = np.zeros((32, 48, 3), np.uint8)
    picture[:, 24:] = 40, 120, 220
    encoded = base64.b64decode(picture_uri(picture).split(',')[1])
    decoded = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(decoded.astype(int) - picture).mean() < 3


def test_a_name_has_one_colour_on_all_panels():
    figure = plot_curves(
        {'loss': {'a': [(0, 1)], 'b': [(0, 2)]}, 'empty': {'a': []}, 'AP': {'b': [(0, 0.1)]}}
    )
    assert len(figure.axes) == 2  # the empty panel is left out
    lines = figure.axes[0].lines + figure.axes[1].lines
    assert [line.get_color() for line in lines] == [COLOURS[0], COLOURS[1], COLOURS[1]]


def test_painter_draws_boxes_above_the_threshold_only():
    painter = DetectionPainter(['one'], scale=2, score_thr=0.5)
    image = np.zeros((32, 32, 3), np.uint8)
    boxes, labels = np.float32([[4, 4, 20, 20]]), np.array([0])
    nothing = painter.draw(image, boxes, labels, scores=np.array([0.4]))
    assert nothing.shape == (64, 64, 3) and not nothing.any()
    found = painter.draw(image, boxes, labels, scores=np.array([0.6]))
    assert found[20, 8].any() and not found[60, 60].any()
    truth = painter.draw(image, boxes, labels)
    assert truth[20, 8].any()


def test_painter_fills_masks():
    painter = DetectionPainter(['one'], scale=2)
    mask = np.zeros((32, 32), bool)
    mask[8:16, 8:16] = True
    picture = painter.draw(
        np.zeros((32, 32, 3), np.uint8), np.float32([[8, 8, 16, 16]]), [0], masks=[mask]
    )
    assert picture[26, 26].any() and not picture[40, 40].any()
