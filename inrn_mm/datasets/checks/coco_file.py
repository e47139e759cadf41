"""COCO-style annotation files, read as they are."""

import json
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from mmengine.fileio import get

from .findings import Findings
from .shapes import BOX_CURES, MASK_CURE, NOT_FINITE, box_fault, mask_fault, rank_mask_fault
from .usage import Usage

SIDES = ('width', 'height')
IDS = ('id', 'image_id', 'category_id')
EXPORT = 'export it again as COCO JSON: an object with images, annotations and categories'


def read_json(path: str, backend_args: dict | None = None) -> Any:
    """Read a JSON file.

    Args:
        path (str): Its path or address.
        backend_args (dict, optional): Arguments of mmengine's file
            backend. Defaults to
            None: as the path says.

    Returns:
        Any: What is in it.

    Raises:
        ValueError: If it is no JSON, saying how it is not.
    """
    raw = get(path, backend_args)
    try:
        return json.loads(raw.decode('utf-8'))
    except UnicodeDecodeError as error:
        kind = 'UTF-16' if raw[:2] in (b'\xff\xfe', b'\xfe\xff') else 'not UTF-8'
        raise ValueError(f'the file is {kind}, and is read as UTF-8') from error
    except ValueError as error:
        if raw.startswith(b'\xef\xbb\xbf'):
            raise ValueError(
                'the file begins with a byte order mark, which JSON has not'
            ) from error
        if not raw.strip():
            raise ValueError('the file is empty') from error
        text = raw.decode('utf-8').rstrip()
        if getattr(error, 'pos', 0) >= len(text) - 1 or text[-1] not in '}]':
            raise ValueError(f'the file is cut off after {len(raw)} bytes') from error
        raise ValueError(f'the file is no JSON, or cut off: {error}') from error


def check_coco_file(
    path: str, usage: Usage, backend_args: dict | None = None
) -> tuple[Findings, dict | None]:
    """Check an annotation file of the COCO style, every entry of it.

    Args:
        path (str): Its path or address.
        usage (Usage): What of it is used.
        backend_args (dict, optional): Arguments of mmengine's file
            backend. Defaults to
            None.

    Returns:
        tuple[Findings, dict | None]: What was found, and the content if it
        has the form that the readers need.
    """
    found = Findings()
    try:
        content = read_json(path, backend_args)
    except ValueError as error:
        found.add('fatal', str(error), EXPORT, path)
        return found, None
    if not isinstance(content, dict):
        kind = type(content).__name__
        found.add('fatal', f'the file holds a {kind} in place of an object', EXPORT, path)
        return found, None
    for key in ('images', 'annotations', 'categories'):
        if not isinstance(content.get(key), list):
            # mmdet itself reads a file of images and categories alone
            bad = 'error' if key == 'annotations' and key not in content else 'fatal'
            found.add(bad, f'the file has no list of {key}', EXPORT, path)
    if found.of('fatal'):
        return found, None
    images = _check_images(content['images'], path, found)
    categories = _check_categories(content['categories'], path, found)
    _check_annotations(content.get('annotations', []), images, categories, usage, path, found)
    return found, None if found.of('fatal') else content


def _check_images(entries: list, path: str, found: Findings) -> dict[object, dict]:
    """Check the images and return the good ones by their id."""
    images: dict[object, dict] = {}
    for i, image in enumerate(entries):
        if not isinstance(image, dict):
            found.add('fatal', 'an image is no object', EXPORT, path, f'images[{i}]')
            continue
        name = f'image {image.get("id", f"at place {i}")} {image.get("file_name", "")}'.strip()
        lost = [k for k in ('id', 'file_name', 'width', 'height') if image.get(k) is None]
        if not _is_id(image.get('id')) or not isinstance(image.get('file_name', ''), str):
            text = 'the id of an image is no number, or its file_name no text'
            found.add('fatal', text, 'write a number and a name', path, f'images[{i}]')
            continue
        if lost:
            text = f'an image has no {" and no ".join(lost)}'
            found.add('fatal', text, 'add it', path, name)
        elif not all(_is_number(image[k]) and math.isfinite(image[k]) for k in SIDES):
            text = 'the width or height of an image is no number'
            found.add('fatal', text, 'write pixels as numbers', path, name)
        elif image['width'] < 1 or image['height'] < 1:
            text = 'the width or height of an image is below 1: its boxes are left out'
            found.add('error', text, 'write the size in pixels', path, name)
        if image.get('id') in images:
            text = 'two images have the same id: one of them is lost'
            found.add('error', text, 'give each its own id', path, name)
        images[image.get('id')] = {} if lost else image
    _check_repeated_files(images.values(), path, found)
    return images


def _check_repeated_files(images: Iterable[dict], path: str, found: Findings) -> None:
    names = Counter(image['file_name'] for image in images if image)
    for name, times in names.items():
        if times > 1:
            text = 'an image file is listed more than once'
            found.add('warning', text, 'merge its entries', path, f'{name}, {times} times')


def _check_categories(entries: list, path: str, found: Findings) -> set:
    """Check the categories and return their ids."""
    for i, category in enumerate(entries):
        if not isinstance(category, dict) or not {'id', 'name'} <= category.keys():
            text = 'a category has no id or no name'
            found.add('fatal', text, 'add it', path, f'categories[{i}]')
        elif not _is_id(category['id']) or not isinstance(category['name'], str):
            text = 'the id of a category is no number, or its name no text'
            found.add('fatal', text, 'write a number and a name', path, f'categories[{i}]')
    good = [
        c
        for c in entries
        if isinstance(c, dict)
        and {'id', 'name'} <= c.keys()
        and _is_id(c['id'])
        and isinstance(c['name'], str)
    ]
    for key in ('name', 'id'):
        for value, times in Counter(c[key] for c in good).items():
            if times > 1:
                found.add(
                    'error',
                    f'two categories have the same {key}: labels and names no longer agree',
                    'merge them, or tell them apart',
                    path,
                    f'{value!r}, {times} times',
                )
    return {c['id'] for c in good}


def _check_annotations(
    entries: list, images: dict, categories: set, usage: Usage, path: str, found: Findings
) -> None:
    good = [isinstance(a, dict) and all(_is_id(a.get(key)) for key in IDS) for a in entries]
    ids = Counter(a.get('id') for a, right in zip(entries, good) if right)
    for i, annotation in enumerate(entries):
        if not good[i]:
            text = 'an annotation is no object'
            if isinstance(annotation, dict):
                text = f'one of {", ".join(IDS)} of an annotation is no number'
            found.add('fatal', text, EXPORT, path, f'annotations[{i}]')
            continue
        image = images.get(annotation.get('image_id'), {})
        name = (
            f'annotation {annotation.get("id", f"at place {i}")} '
            f'of image {annotation.get("image_id")} {image.get("file_name", "")}'
        ).strip()

        def add(severity, text, cure, name=name):
            found.add(severity, text, cure, path, name)

        if ids[annotation.get('id')] > 1:
            add('fatal', 'annotations have the same id', 'give each its own')
        _check_annotation(annotation, images, categories, usage, add)


def _check_annotation(annotation, images, categories, usage, add) -> None:
    """Check one annotation; ``add(severity, text, cure)`` tells of a fault."""
    needed = ('id', 'image_id', 'category_id', 'bbox', 'area')
    lost = [key for key in needed if annotation.get(key) is None]
    if lost:
        add('fatal', f'an annotation has no {" and no ".join(lost)}', 'add it')
        return
    if 'iscrowd' not in annotation:
        add('error', 'an annotation has no iscrowd: evaluation ends by it', 'add iscrowd: 0')
    elif annotation['iscrowd'] not in (0, 1):
        text = 'the iscrowd of an annotation is neither 0 nor 1: what is not empty means a crowd'
        add('error', text, 'write 0 or 1, without quotes')
    if not _is_number(annotation['area']):
        add('fatal', 'the area of an annotation is no number', 'write it as a number')
    elif annotation['area'] <= 0:
        add('warning', 'an annotation has no area: it is left out', 'correct or remove it')
    if annotation['category_id'] not in categories:
        text = 'an annotation is of a category that is not listed: it is left out'
        add('error', text, 'add the category, or correct category_id (a number, no string)')
    if annotation['image_id'] not in images:
        text = 'an annotation is of an image that is not listed: it is left out'
        add('error', text, 'add the image, or correct image_id')
    image = images.get(annotation['image_id'])
    box = annotation['bbox']
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        add('fatal', 'a box is no list of four numbers', 'write it as [x, y, width, height]')
    elif image and all(_is_number(image[k]) for k in ('width', 'height')):
        x, y, w, h = box
        fault = box_fault((x, y, x + w, y + h), image['width'], image['height'])
        if fault:
            add('error' if fault == NOT_FINITE else 'warning', fault, BOX_CURES[fault])
        _check_mask(annotation, image, usage, add)


def _check_mask(annotation, image, usage, add) -> None:
    mask = annotation.get('segmentation')
    if mask is None and not (usage.masks or usage.segm):
        return
    fault = mask_fault(mask, image['width'], image['height'])
    if fault:
        add(rank_mask_fault(fault, usage), fault, MASK_CURE)


def _is_id(value: object) -> bool:
    """Tell whether ids can be compared with it; what is lost is told elsewhere."""
    return value is None or isinstance(value, (int, float, str))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
