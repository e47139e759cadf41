"""All data sets of a config, together."""

import contextlib
import io
from collections.abc import Callable, Iterable, Sequence

from mmengine.registry import METRICS, MODELS

from ...utils.config_types import student_config
from .classes import check_absent, check_heads, check_same_labels, label_names
from .coco_file import check_coco_file
from .evaluators import check_evaluator, evaluated_names
from .findings import Findings
from .image_files import look_at_all
from .paths import missing_paths
from .records import count_labels
from .sets import CheckedSet, load_set
from .splits import check_leaks, digests
from .usage import Usage, asked_metrics, leaf_configs, loader_usage, metric_configs

KINDS = ('train', 'val', 'test')
Track = Callable[[Iterable, int, str], Iterable]


def check_config(
    cfg,
    kinds: Sequence[str] = KINDS,
    decode: bool = False,
    seconds: float | None = None,
    network: bool = True,
    track: Track = lambda items, total, text: items,
) -> tuple[Findings, list[CheckedSet]]:
    """Check the data sets of a config.

    Args:
        cfg (Config): The config; its default scope must be set.
        kinds (Sequence[str]): Which. Defaults to all three.
        decode (bool): Decode every image in place of reading its header.
            Defaults to False.
        seconds (float, optional): Stop looking at a set's images after so
            long. Defaults to None: look at all.
        network (bool): Build the network to count the classes of its heads.
            Defaults to True.
        track (Callable): Wraps an iterable of so many items, with a text, for
            a progress bar. Defaults to none.

    Returns:
        tuple[Findings, list[CheckedSet]]: What was found, and what was read.
    """
    found = Findings()
    sets = [checked for kind in kinds for checked in list_sets(cfg, kind)]
    lost = {kind for kind in kinds for _ in _tell_missing(cfg, kind, found)}
    sets = [checked for checked in sets if checked.kind not in lost]
    for checked in track(sets, len(sets), 'annotations'):
        load_set(checked, found)
    for checked in sets:
        _look_at_images(checked, decode, seconds, track, found)
    names = []
    for kind in kinds:
        loaded = [checked for checked in sets if checked.kind == kind and checked.dataset]
        datasets = [checked.dataset for checked in loaded]
        for checked in loaded:
            place = f'{checked.name} ({checked.dataset.ann_file})'
            names.append((place, label_names(checked.dataset)))
        check_absent(kind, datasets, count_labels(r for c in loaded for r in c.records), found)
        if datasets and len(datasets) == sum(checked.kind == kind for checked in sets):
            names.append(_check_evaluation(cfg, kind, datasets, found))
    check_same_labels([pair for pair in names if pair and pair[1]], found)
    if network:
        _check_model(cfg, sets, found)
    _check_splits(sets, found)
    return found, sets


def list_sets(cfg, kind: str) -> list[CheckedSet]:
    """List the data sets of a dataloader, unwrapped.

    Args:
        cfg (Config): The config.
        kind (str): 'train', 'val' or 'test'. A test dataloader that is that
            of the validation has none of its own.

    Returns:
        list[CheckedSet]: Not loaded.
    """
    loader = cfg.get(f'{kind}_dataloader') or {}
    if kind == 'test' and loader.get('dataset') == (cfg.get('val_dataloader') or {}).get('dataset'):
        return []
    usage = loader_usage(cfg, kind)
    return [
        CheckedSet(kind, name, leaf, usage)
        for name, leaf in leaf_configs(loader.get('dataset'), f'{kind}_dataloader.dataset')
    ]


def _tell_missing(cfg, kind: str, found: Findings) -> Iterable[str]:
    for sentence in missing_paths(cfg, f'{kind}_dataloader'):
        text, _, cure = sentence.partition(': ')
        found.add('fatal', text, cure.rstrip('.'))
        yield sentence


def _look_at_images(checked: CheckedSet, decode: bool, seconds, track, found: Findings) -> None:
    records = [r for r in checked.records if r.path]
    if not records or not (decode or checked.local):
        return
    looks = look_at_all(records, checked.look(decode), seconds)
    for look in track(looks, len(records), f'images of {checked.name}'):
        look.tell(found)
        if look.digest:
            checked.digests[look.record.path] = look.digest


def _check_evaluation(cfg, kind: str, datasets: list, found: Findings) -> tuple | None:
    """Build the metrics of a dataloader and compare them with its sets."""
    evaluator = cfg.get(f'{kind}_evaluator')
    metrics = []
    for metric in metric_configs(evaluator):
        path = metric.get('ann_file')
        if path and path not in {d.ann_file for d in datasets} and path.endswith('.json'):
            usage = Usage(segm='segm' in asked_metrics(evaluator))
            found.extend(check_coco_file(path, usage, metric.get('backend_args'))[0])
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                metrics.append(METRICS.build(metric))
        except Exception as error:  # whatever the metric says
            text = f'{kind}_evaluator cannot be built: {type(error).__name__}: {error}'
            found.add('fatal', text, 'see its config')
    if isinstance(evaluator, dict) and 'dataset_prefixes' in evaluator:
        return None  # one metric for each of the sets
    if metrics:
        check_evaluator(kind, datasets, metrics, found)
    return f'{kind}_evaluator.ann_file', evaluated_names(datasets, metrics)


def _check_model(cfg, sets: list[CheckedSet], found: Findings) -> None:
    """Compare the heads with the sets, if the network can be built."""
    model = cfg.get('model')
    if not isinstance(model, dict) or not sets:
        return
    try:
        network = MODELS.build(student_config(model))
    except Exception as error:  # the trainer says it better
        text = f'the network cannot be built ({type(error).__name__}: {error})'
        found.add('note', text, 'its number of classes was not checked')
        return
    for kind in dict.fromkeys(c.kind for c in sets):
        loaded = [c for c in sets if c.kind == kind and c.dataset]
        datasets = [c.dataset for c in loaded]
        check_heads(kind, datasets, network, found)


def _check_splits(sets: list[CheckedSet], found: Findings) -> None:
    hashes: dict[str, dict[str, str]] = {}
    for checked in sets:
        hashes.setdefault(checked.kind, {}).update(checked.digests)
    if not any(hashes.values()):
        paths: dict[str, list[str]] = {}
        for checked in sets:
            if checked.local:
                paths.setdefault(checked.kind, []).extend(r.path for r in checked.records)
        hashes = digests(paths)
    check_leaks(hashes, found)
