"""The page: built from the data sets that were read and what was found."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inrn_mm.datasets.checks.findings import SEVERITIES, Findings
from inrn_mm.datasets.checks.sets import CheckedSet
from tools.demo.page import ReportPage

from .figures import draw_pictures, plot_boxes, plot_classes, plot_per_image
from .statistics import anchor_sizes, best_overlaps, box_sizes, class_names, count_classes

PICTURES = 20
COLUMNS = 5
LOW = 0.3  # IoU below which RPN takes an anchor for background


def write_page(folder: Path, cfg, sets: Sequence[CheckedSet], found: Findings) -> Path:
    """Write ``index.html``.

    Args:
        folder (Path): Made if it is not there.
        cfg (Config): The config.
        sets (Sequence[CheckedSet]): Its data sets, loaded.
        found (Findings): What was found.

    Returns:
        Path: The page.
    """
    splits: dict[str, list[CheckedSet]] = {}
    for checked in sets:
        splits.setdefault(checked.kind, []).append(checked)
    images = sum(len(c.records) for c in sets)
    page = ReportPage(
        'Data sets',
        f'What {Path(cfg.filename or "").name} trains and evaluates on.',
        facts={
            'images': f'{images:,}',
            'objects': f'{sum(len(r.labels) for c in sets for r in c.records):,}',
            **{
                f'kinds of findings: {severity}': str(len(found.of(severity)))
                for severity in SEVERITIES
            },
        },
    )
    _add_findings(page, found)
    _add_sets(page, sets)
    names = class_names(sets)
    if names and images:
        _add_classes(page, names, splits)
        _add_boxes(page, cfg, splits)
        _add_pictures(page, names, sets)
    return page.write(folder / 'index.html')


def _add_findings(page: ReportPage, found: Findings) -> None:
    page.section(
        'Findings',
        'Fatal: training or evaluation would end by it. Error: they go on, and the result is '
        'wrong. Warning: probably not meant.'
        if len(found)
        else 'Nothing was found.',
    )
    rows = [
        [
            f.severity,
            f.file,
            f.text,
            str(f.count or ''),
            '; '.join(f.items) + (' ...' if f.count > len(f.items) else ''),
            f.cure,
        ]
        for f in found
    ]
    if rows:
        page.table(['severity', 'file', 'what', 'times', 'where', 'cure'], rows)


def _add_sets(page: ReportPage, sets: Sequence[CheckedSet]) -> None:
    page.section('Sets', 'As they are loaded, after their own filters.')
    rows = []
    for checked in sets:
        records = checked.records
        objects = sum(len(r.labels) for r in records)
        empty = sum(not r.labels for r in records)
        left = sum(sum(r.ignored) for r in records)
        file = getattr(checked.dataset, 'ann_file', '') or 'not loaded'
        numbers = [f'{n:,}' for n in (len(records), empty, objects, left)]
        rows.append([checked.name, file, *numbers])
    columns = ['set', 'file', 'images', 'without objects', 'objects', 'to be ignored']
    page.table(columns, rows)


def _add_classes(page: ReportPage, names: Sequence[str], splits: dict) -> None:
    page.section('Classes')
    counts = {split: count_classes(checked) for split, checked in splits.items()}
    objects = {split: numbers for split, (numbers, _) in counts.items()}
    page.figure(plot_classes(names, objects), 'Objects of each class, on a logarithmic scale.')
    columns = ['class']
    for split in counts:
        columns += [f'{split}: objects', f'{split}: images']
    rows = []
    for i, name in enumerate(names):
        numbers = [kind.get(i, 0) for pair in counts.values() for kind in pair]
        rows.append([name, *(f'{n:,}' for n in numbers)])
    page.table(columns, rows)


def _add_boxes(page: ReportPage, cfg, splits: dict) -> None:
    sizes = {split: box_sizes(checked) for split, checked in splits.items()}
    if not any(map(len, sizes.values())):
        return
    anchors = anchor_sizes(cfg.get('model'))
    text = 'In pixels of the network, as far as the pipelines tell.'
    boxes = np.concatenate(list(sizes.values()))
    if len(anchors):
        low = (best_overlaps(boxes, anchors) < LOW).mean()
        text += (
            f' {100 * low:.1f} % of the boxes have an IoU below {LOW} with every anchor, even '
            'laid over its centre.'
        )
    page.section('Boxes', text)
    page.figure(plot_boxes(sizes, anchors), 'Sizes and ratios of the boxes.')
    counts = {
        split: [len(r.labels) for c in checked for r in c.records]
        for split, checked in splits.items()
    }
    page.figure(plot_per_image(counts), 'Objects in an image.')


def _add_pictures(page: ReportPage, names: Sequence[str], sets: Sequence[CheckedSet]) -> None:
    page.section('Pictures')
    loaded = [checked for checked in sets if checked.records]
    for checked in loaded:
        number = max(PICTURES // len(loaded), 1)
        pictures = list(draw_pictures(checked, names, number))
        # the last row is filled up with white
        pictures += (
            [np.full_like(pictures[0], 255)] * (-len(pictures) % COLUMNS) if pictures else []
        )
        rows = [pictures[i : i + COLUMNS] for i in range(0, len(pictures), COLUMNS)]
        if rows:
            page.pictures([''] * COLUMNS, rows, f'{checked.name}, with its boxes.')
