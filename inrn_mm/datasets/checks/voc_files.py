"""VOC-style sets: a list of images and an XML file for each."""

import math
import os.path as osp
import xml.etree.ElementTree as ET
from collections import Counter
from difflib import get_close_matches

from mmengine.fileio import exists, get, list_from_file

from .findings import Findings
from .shapes import BOX_CURES, FARTHEST, NOT_FINITE

CORNERS = ('xmin', 'ymin', 'xmax', 'ymax')


def check_voc_files(dataset) -> Findings:
    """Check every XML file of a set.

    Args:
        dataset (mmdet.datasets.XMLDataset): The set; its annotations need not
            be loaded.

    Returns:
        Findings: What was found.
    """
    found = Findings()
    names: Counter = Counter()
    ids = list_from_file(dataset.ann_file, backend_args=dataset.backend_args)
    for image_id, times in Counter(ids).items():
        if times > 1:
            text = 'an image is listed more than once'
            found.add('warning', text, 'keep one', dataset.ann_file, image_id or 'an empty line')
    for image_id in dict.fromkeys(ids):
        path = osp.join(dataset.sub_data_root, dataset.ann_subdir, f'{image_id}.xml')
        names += _check_file(path, dataset.backend_args, found)
    _check_names(names, dataset, found)
    return found


def read_voc_names(dataset) -> Counter:
    """Count the class names that a set's XML files hold, used or not.

    Args:
        dataset (mmdet.datasets.XMLDataset): The set.

    Returns:
        Counter: Name to number of boxes.
    """
    names: Counter = Counter()
    for image_id in list_from_file(dataset.ann_file, backend_args=dataset.backend_args):
        path = osp.join(dataset.sub_data_root, dataset.ann_subdir, f'{image_id}.xml')
        root = ET.fromstring(get(path, dataset.backend_args))
        names.update(entry.findtext('name') for entry in root.iter('object'))
    return names


def closest(name: str, names: list[str]) -> str | None:
    """Find the name that was probably meant, whatever its case.

    Args:
        name (str): The one that is not there.
        names (list[str]): Those that are.

    Returns:
        str | None: One of ``names``.
    """
    lower = {n.lower(): n for n in names}
    near = get_close_matches(name.lower(), lower, n=1, cutoff=0.75)
    return lower[near[0]] if near else None


def _check_names(names: Counter, dataset, found: Findings) -> None:
    """Compare the names in the files with the classes of the config."""
    classes = list(dataset.metainfo['classes'])
    for name, boxes in names.items():
        if name in classes:
            continue
        meant = closest(str(name), classes)
        found.add(
            'error' if meant else 'note',
            'the XML files hold a name that is no class: its boxes are left out',
            f'is it {meant!r} of metainfo.classes? Write both alike'
            if meant
            else 'add it to metainfo.classes, if it was not left out on purpose',
            dataset.ann_file,
            f'{name!r}, {boxes} boxes',
        )


def _check_file(path: str, backend_args: dict | None, found: Findings) -> Counter:
    """Check one file and count its names."""
    if not exists(path, backend_args):
        found.add('fatal', 'an XML file does not exist', 'add it, or correct the list', path)
        return Counter()
    try:
        root = ET.fromstring(get(path, backend_args))
    except ET.ParseError as error:
        found.add('fatal', f'the file is no XML ({error})', 'export it again', path)
        return Counter()
    size = root.find('size')
    if size is not None:
        try:
            if min(int(size.findtext(side)) for side in ('width', 'height')) < 1:
                text = 'the size is below 1: the image may be left out'
                found.add('error', text, 'write the size of the image', path)
        except (TypeError, ValueError):
            found.add('fatal', 'the size has no width and height', 'write whole numbers', path)
    names: Counter = Counter()
    for i, entry in enumerate(root.findall('object')):
        names[entry.findtext('name')] += 1
        _check_object(entry, f'object {i + 1}, {entry.findtext("name")}', path, found)
    return names


def _check_object(entry, name: str, path: str, found: Findings) -> None:
    if entry.find('name') is None:
        found.add('fatal', 'an object has no name', 'name its class', path, name)
    try:
        box = [float(entry.find('bndbox').findtext(corner)) for corner in CORNERS]
    except (AttributeError, TypeError, ValueError):
        cure = f'write {", ".join(CORNERS)} as numbers'
        found.add('fatal', 'an object has no box of four numbers', cure, path, name)
        return
    if not all(math.isfinite(v) and abs(v) < FARTHEST for v in box):
        found.add('fatal', NOT_FINITE, BOX_CURES[NOT_FINITE], path, name)
