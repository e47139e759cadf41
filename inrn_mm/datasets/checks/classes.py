"""Whether labels, names and heads mean the same."""

import json
import mmap
import os.path as osp
from collections.abc import Mapping, Sequence

from .findings import Findings
from .voc_files import closest, read_voc_names

# heads that have other classes than the dataset's things
OTHER_CLASSES = ('rpn', 'semantic', 'panoptic')


def few(names: Sequence[str]) -> str:
    """Name the first three.

    Args:
        names (Sequence[str]): Any number of names.

    Returns:
        str: Such as 'box, disc, triangle, ...'.
    """
    return ', '.join(map(str, names[:3])) + (', ...' if len(names) > 3 else '')


def read_categories(path: str) -> dict | None:
    """Read the categories of a COCO-style file without the rest of it.

    Args:
        path (str): Its path.

    Returns:
        dict | None: Id to name, in the order of the file; None if that is not
        to be told so quickly.
    """
    if not osp.isfile(path) or not osp.getsize(path):
        return None
    decoder = json.JSONDecoder()
    with open(path, 'rb') as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        # the last one: COCO has it at the end, behind hundreds of megabytes
        at = content.rfind(b'"categories"')
        if at < 0:
            return None
        start = content.find(b'[', at)
        text = content[start : start + 4_000_000].decode('utf-8', 'ignore')
    try:
        entries, _ = decoder.raw_decode(text)
        return {entry['id']: entry['name'] for entry in entries}
    except (ValueError, TypeError, KeyError):
        return None


def label_names(dataset) -> list[str] | None:
    """List what the labels of a set stand for in its annotation file.

    Args:
        dataset (BaseDataset): The set, loaded.

    Returns:
        list[str] | None: Names in the order of the labels: those of the file
        where the set numbers its labels by it, else of its metainfo. None if
        there are none.
    """
    names = file_names(dataset) or dataset.metainfo.get('classes')
    return None if isinstance(names, str) or not names else list(names)


def file_names(dataset) -> list[str] | None:
    """List the categories by which a COCO-style set numbers its labels.

    Args:
        dataset (BaseDataset): The set, loaded.

    Returns:
        list[str] | None: Names in the order of the labels; None if the set
        keeps no ids of categories, or its file is not on this machine.
    """
    ids = getattr(dataset, 'cat_ids', None)
    categories = read_categories(dataset.ann_file) if ids else None
    if categories is None or any(i not in categories for i in ids):
        return None
    return [categories[i] for i in ids]


def check_classes(kind: str, dataset, found: Findings) -> None:
    """Compare the classes of a set with the categories of its file.

    Args:
        kind (str): 'train', 'val' or 'test'.
        dataset (BaseDataset): The set, loaded.
        found (Findings): Added to.
    """
    classes = dataset.metainfo.get('classes')
    key = f'{kind}_dataloader.dataset.metainfo.classes'
    if isinstance(classes, str):
        text = f"metainfo.classes of the {kind} dataset is the string '{classes}'"
        found.add('fatal', text, f"write a tuple, classes=('{classes}', )")
        return
    # COCO-style datasets look their classes up in the annotations and keep
    # those found, silently
    ids = getattr(dataset, 'cat_ids', None)
    if ids is None or classes is None:
        return
    names = file_names(dataset)
    if len(ids) < len(classes):
        lost = [c for c in classes if names and c not in names] or classes
        found.add(
            'fatal',
            f'Only {len(ids)} of the {len(classes)} categories in metainfo.classes of the {kind} '
            f'dataset are in {dataset.ann_file} (looked for {few(lost)}), so that labels stand '
            'for other classes and evaluation ends by an IndexError',
            f'set {key} to the names in that file',
        )
    elif len(ids) > len(classes):
        twice = [n for n in dict.fromkeys(names or []) if names.count(n) > 1]
        found.add(
            'fatal',
            f'{dataset.ann_file} has {len(ids)} categories for the {len(classes)} of '
            f'metainfo.classes of the {kind} dataset, since names are there twice '
            f'({few(twice) or "see its categories"}), so that there are more labels than classes',
            'give each category its own name, or merge them',
        )
    elif names is not None and names != list(classes):
        wrong = next(i for i, name in enumerate(names) if name != classes[i])
        found.add(
            'error',
            f'The classes of the {kind} dataset are not in the order of {dataset.ann_file}, which '
            f'mmdet numbers them by: label {wrong} is {names[wrong]!r} and is called '
            f'{classes[wrong]!r} in pictures and predictions',
            f'set {key} to the order of the file, ({few([repr(n) for n in names])})',
        )


def check_same_labels(sets: Sequence[tuple[str, Sequence[str]]], found: Findings) -> None:
    """See that a label means the same everywhere in a run.

    Args:
        sets (Sequence[tuple[str, Sequence[str]]]): What each set or evaluator
            is called, and the names of its labels.
        found (Findings): Added to.
    """
    first_set, first = sets[0] if sets else ('', ())
    for name, labels in sets[1:]:
        wrong = [i for i, (a, b) in enumerate(zip(first, labels)) if a != b]
        if wrong:
            i = wrong[0]
            found.add(
                'error',
                f'Label {i} is {first[i]!r} in {first_set} and {labels[i]!r} in {name}: what is '
                'learned and what is measured are mixed up',
                'bring the categories of the files, or the folders of the classes, into one order',
            )


def check_heads(kind: str, datasets: Sequence, model, found: Findings) -> None:
    """Compare the number of classes of the heads with that of the sets.

    Args:
        kind (str): 'train', 'val' or 'test'.
        datasets (Sequence[BaseDataset]): The unwrapped sets of a dataloader.
        model (nn.Module): The network.
        found (Findings): Added to.
    """
    modules = dict(model.named_modules())
    if any('language_model' in name for name in modules):
        return  # it compares texts, and num_classes is the most of their tokens
    lists = [d.metainfo.get('classes') for d in datasets]
    classes = max((c for c in lists if c and not isinstance(c, str)), key=len, default=None)
    if classes is None:
        return
    # panoptic networks and sets count their things apart
    allowed = {
        len(d.metainfo['thing_classes']) for d in datasets if d.metainfo.get('thing_classes')
    }
    for module in modules.values():
        things = getattr(module, 'num_things_classes', None)
        if isinstance(things, int):
            allowed |= {things, things + module.num_stuff_classes}
    for name, module in modules.items():
        heads = getattr(module, 'num_classes', None)
        if not _has_classes(name, module) or heads in (allowed | {len(classes)}):
            continue
        text = (
            f'{name} has num_classes={heads}, but the {kind} dataset has {len(classes)} '
            f'classes ({few(classes)})'
        )
        cure = 'set num_classes of the heads or metainfo.classes of the datasets'
        found.add('fatal', text, cure)


def _has_classes(name: str, module) -> bool:
    """Tell whether a module is a head of the data set's classes."""
    return (
        isinstance(getattr(module, 'num_classes', None), int)
        and 'head' in name
        and not any(other in name for other in OTHER_CLASSES)
        and not any('RPN' in base.__name__ for base in type(module).__mro__)
    )


def check_absent(kind: str, datasets: Sequence, counts: Mapping[int, int], found: Findings) -> None:
    """Name the classes that have no object, and whether their names are known.

    Args:
        kind (str): 'train', 'val' or 'test'.
        datasets (Sequence[BaseDataset]): The unwrapped sets of a dataloader.
        counts (Mapping[int, int]): Label to number of its objects.
        found (Findings): Added to.
    """
    classes = (label_names(datasets[0]) if datasets else None) or []
    absent = [name for i, name in enumerate(classes) if not counts.get(i)]
    for dataset in datasets:
        # stuff has no boxes
        things = dataset.metainfo.get('thing_classes')
        absent = [name for name in absent if not things or name in things]
        if absent and hasattr(dataset, 'ann_subdir'):  # a VOC-style set
            absent = _find_misspelt(kind, dataset, absent, found)
    # what is learned without labels has none, and an evaluation may have a part
    if absent and counts and kind == 'train':
        found.add(
            'warning',
            f'{len(absent)} of the {len(classes)} classes have no object in the {kind} dataset '
            f'({few(absent)})',
            'correct metainfo.classes, if they are not missing on purpose',
        )


def _find_misspelt(kind: str, dataset, absent: list[str], found: Findings) -> list[str]:
    """Look for absent classes in the XML files; those not found are returned."""
    names = read_voc_names(dataset)
    others = [str(name) for name in names if name not in dataset.metainfo['classes']]
    left = []
    for name in absent:
        meant = closest(name, others)
        if not meant:
            left.append(name)
            continue
        found.add(
            'error',
            f'No box of the {kind} dataset is of class {name!r}, and {names[meant]} are '
            f'named {meant!r}, which is no class: they are left out',
            'write both alike in metainfo.classes and in the XML files',
            dataset.ann_file,
        )
    return left
