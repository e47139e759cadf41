"""One data set of a config: built without its pipeline, and checked."""

import contextlib
import io
import os.path as osp
from collections.abc import Callable
from dataclasses import dataclass, field

from mmengine.dataset import BaseDataset
from mmengine.fileio import list_from_file
from mmengine.registry import DATASETS, TRANSFORMS

from .classes import check_classes
from .coco_file import check_coco_file
from .empty import explain_empty
from .findings import Findings
from .image_files import Look, is_local, loader_config, look_at_header, look_at_pixels
from .records import Record, check_record, read_records
from .usage import Usage
from .voc_files import check_voc_files


@dataclass
class CheckedSet:
    """A data set, unwrapped.

    Args:
        kind (str): 'train', 'val' or 'test'.
        name (str): How it is called with ``--cfg-options``.
        cfg (dict): Its config.
        usage (Usage): What of it is used.
        dataset (BaseDataset, optional): Loaded; None if that failed.
        records (list[Record]): Its images, once they were read.
        digests (dict[str, str]): Path to digest, where pixels were read.
    """

    kind: str
    name: str
    cfg: dict
    usage: Usage
    dataset: BaseDataset | None = None
    records: list[Record] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def local(self) -> bool:
        """bool: Whether its images are plain files of this machine."""
        loader = loader_config(self.cfg) or {}
        return is_local(self.cfg.get('backend_args'), loader.get('backend_args'))

    def look(self, decode: bool) -> Callable[[Record], Look]:
        """Choose how its images are looked at.

        Args:
            decode (bool): Decode the pixels, as the training does.

        Returns:
            Callable: From a record to what was seen.
        """
        loader = loader_config(self.cfg)
        if not decode or loader is None:
            return look_at_header
        load = TRANSFORMS.build(loader)
        return lambda record: look_at_pixels(record, load, loader.get('backend_args'))


def load_set(checked: CheckedSet, found: Findings) -> None:
    """Check the annotation files of a set, load it, and check its objects.

    Args:
        checked (CheckedSet): Its ``dataset`` and ``records`` are set.
        found (Findings): Added to.
    """
    kind, name = checked.kind, checked.name
    dataset = _build_lazily(checked, found)
    if dataset is None:
        return
    raw, content = _check_files(dataset, checked.usage)
    found.extend(raw)
    if raw.of('fatal'):
        return
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # pycocotools chats
            dataset.full_init()
    except Exception as error:  # whatever the reader of the set says
        if str(error) == 'need at least one array to concatenate':
            kept = dict(checked.cfg)
            text = explain_empty({f'{kind}_dataloader': dict(dataset=kept)}, [f'{kind}_dataloader'])
            found.add('fatal', text.rstrip('.'), f'see {name}')
        else:
            text = f'the {kind} dataset cannot be loaded: {type(error).__name__}: {error}'
            found.add('fatal', text, f'see {name}')
        return
    checked.dataset = dataset
    check_classes(kind, dataset, found)
    checked.records = list(read_records(dataset))
    if content is None:  # else its boxes were looked at
        for record in checked.records:
            check_record(record, checked.usage, found)


def _build_lazily(checked: CheckedSet, found: Findings) -> BaseDataset | None:
    cfg = dict(checked.cfg, pipeline=[], lazy_init=True)
    try:
        dataset = DATASETS.build(cfg)
    except Exception as error:  # e.g. its class takes no lazy_init
        cfg.pop('lazy_init')
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                dataset = DATASETS.build(cfg)
        except Exception:
            text = f'the {checked.kind} dataset cannot be built: {type(error).__name__}: {error}'
            found.add('fatal', text, f'see {checked.name}')
            return None
    if not isinstance(dataset, BaseDataset):
        text = f'{type(dataset).__name__} is no dataset of mmengine: it is not looked into'
        found.add('note', text, 'check it by yourself')
        return None
    return dataset


def _check_files(dataset: BaseDataset, usage: Usage) -> tuple[Findings, dict | None]:
    """Check a set's annotation files by their style."""
    backend_args = getattr(dataset, 'backend_args', None)
    style = annotation_style(type(dataset))
    if style == 'coco':
        return check_coco_file(dataset.ann_file, usage, backend_args)
    if style == 'voc':
        return check_voc_files(dataset), None
    found = Findings()
    if getattr(dataset, 'with_label', False) and osp.isfile(dataset.ann_file):
        _check_lines(dataset.ann_file, found)
    return found, None


def annotation_style(kind: type) -> str | None:
    """Tell how a class of sets reads its annotation files.

    Args:
        kind (type): A dataset's class.

    Returns:
        str | None: 'coco' or 'voc' where mmdet's own reader is used; None for
        readers of their own.
    """
    parse = getattr(kind, 'parse_data_info', None)
    reads = f'{getattr(parse, "__module__", "")}.{getattr(parse, "__qualname__", "")}'
    return {
        'mmdet.datasets.coco.CocoDataset.parse_data_info': 'coco',
        'mmdet.datasets.xml_style.XMLDataset.parse_data_info': 'voc',
    }.get(reads)


def _check_lines(path: str, found: Findings) -> None:
    """Check mmpretrain's lists of images and labels."""
    for i, line in enumerate(list_from_file(path), 1):
        _, _, label = line.strip().rpartition(' ')
        if not label.lstrip('-').isdigit():
            text = 'a line is no path, a space and the number of a class'
            found.add('fatal', text, 'correct or remove it', path, f'line {i}, {line.strip()!r}')
        elif int(label) < 0:
            found.add('fatal', 'a label is negative', 'correct it', path, f'line {i}')
