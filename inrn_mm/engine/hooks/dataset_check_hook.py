"""Say before a training starts what is wrong with its data."""

import logging
import os.path as osp
from collections import Counter
from dataclasses import replace

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.dist import all_gather_object, get_rank, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.registry import HOOKS

from ...datasets.checks import Findings
from ...datasets.checks.classes import (
    check_absent,
    check_classes,
    check_heads,
    check_same_labels,
    label_names,
)
from ...datasets.checks.evaluators import check_evaluator, evaluated_names
from ...datasets.checks.explain import TOOL
from ...datasets.checks.image_files import is_local, look_at_all, look_at_header
from ...datasets.checks.records import Record, check_record, count_labels, read_records
from ...datasets.checks.usage import Usage, leaf_datasets, loader_usage

SAMPLES = 16  # images looked for on disk
SECONDS = 5.0  # for the headers of each set's images


@HOOKS.register_module()
class DatasetCheckHook(Hook):
    """Check the built datasets against their images and the model's heads.

    Annotations are all looked at, as they are loaded, images as far as a few
    seconds go. What would end the run raises; what would let it go on to a
    wrong result is logged as a warning.

    Raises:
        FileNotFoundError: If images named by the annotations do not exist.
        ValueError: If the run would end by its data: a dataset lacks
            categories that its ``metainfo`` names, a head has another number
            of classes, an image is empty, a mask is missing, an evaluator
            does not know the images.
    """

    priority = 'VERY_HIGH'

    def before_run(self, runner) -> None:
        """Check every dataset that this run has built."""
        found = Findings()
        names = []
        for kind in ('train', 'val', 'test'):
            loop = getattr(runner, f'_{kind}_loop')
            loader = getattr(loop, 'dataloader', None)
            if loader is None:
                continue
            datasets = list(leaf_datasets(loader.dataset))
            names += [(f'{kind}_dataloader.dataset ({_file(d)})', label_names(d)) for d in datasets]
            counts = _check_sets(runner, kind, datasets, found)
            check_heads(kind, datasets, runner.model, found)
            check_absent(kind, datasets, counts, found)
            evaluator = getattr(loop, 'evaluator', None)
            # one of several sets has its own metric for each of them
            if evaluator is not None and not hasattr(evaluator, 'dataset_prefixes'):
                check_evaluator(kind, datasets, evaluator.metrics, found)
                evaluated = evaluated_names(datasets, evaluator.metrics)
                names.append((f'{kind}_evaluator.ann_file', evaluated))
        check_same_labels([(name, labels) for name, labels in names if labels], found)
        _tell(found)


def _file(dataset: BaseDataset) -> str:
    return getattr(dataset, 'ann_file', '') or type(dataset).__name__


def _check_sets(runner, kind: str, datasets: list, found: Findings) -> Counter:
    """Check the sets of a dataloader and count the labels in them."""
    cfg = getattr(runner, 'cfg', None) or {}
    usage = loader_usage(cfg, kind)
    counts: Counter = Counter()
    for dataset in datasets:
        check_classes(kind, dataset, found)
        steps = [dataset, *getattr(dataset.pipeline, 'transforms', [])]
        local = is_local(*(getattr(step, 'backend_args', None) for step in steps))
        if local:
            _find_images(kind, dataset)
        # each process looks at its share, and all say the same
        share = range(get_rank(), len(dataset), get_world_size())
        mine = _check_share(dataset, share, usage, local)
        for others, labels in all_gather_object(mine):
            found.extend(others)
            counts += labels
    return counts


def _check_share(
    dataset: BaseDataset, share: range, usage: Usage, local: bool
) -> tuple[Findings, Counter]:
    """Check some images of a set and count the labels in them."""
    found = Findings()
    counts: Counter = Counter()
    files: list[Record] = []
    for record in read_records(dataset, share):
        check_record(record, usage, found)
        counts += count_labels([record])
        if local and record.path and '://' not in record.path:
            files.append(replace(record, boxes=[], masks=[]))
    order = np.random.RandomState(0).permutation(len(files))  # a part is a fair one
    looked = 0
    for look in look_at_all((files[i] for i in order), look_at_header, SECONDS):
        look.tell(found)
        looked += 1
    if looked < len(files):
        print_log(
            f'Looked at {looked} of {len(files)} image files of {_file(dataset)}: '
            f'{TOOL} --decode looks at all.',
            'current',
        )
    return found, counts


def _find_images(kind: str, dataset: BaseDataset) -> None:
    picks = np.unique(np.linspace(0, len(dataset) - 1, SAMPLES).astype(int))
    paths = [record.path for record in read_records(dataset, map(int, picks))]
    paths = [path for path in paths if path and '://' not in path]
    lost = [path for path in paths if not osp.isfile(path)]
    if lost:
        raise FileNotFoundError(
            f'{len(lost)} of {len(paths)} images looked for of the {kind} '
            f'dataset do not exist, the first is {lost[0]}: set '
            f'{kind}_dataloader.dataset.data_prefix.img=... to their '
            'folder, or get the images that belong to '
            f'{dataset.ann_file}.'
        )


def _tell(found: Findings) -> None:
    """Raise what ends the run, and log what spoils it."""
    for finding in found.of('error', 'warning'):
        print_log(f'Data: {finding.sentence()}', 'current', logging.WARNING)
    fatal = found.of('fatal')
    if fatal:
        more = f' {len(fatal) - 1} more kinds of faults: {TOOL} lists all.' if fatal[1:] else ''
        raise ValueError(fatal[0].sentence() + more)
