"""Whether an evaluator measures the images that its dataloader gives."""

from collections import Counter
from collections.abc import Iterable, Sequence

from .findings import Findings
from .shapes import MASK_CURE, MASK_FAULTS, mask_fault

COMPARED = 200  # images whose boxes are compared


def check_evaluator(kind: str, datasets: Sequence, metrics: Iterable, found: Findings) -> None:
    """Compare what an evaluator knows with the sets of its dataloader.

    Args:
        kind (str): 'val' or 'test'.
        datasets (Sequence[BaseDataset]): The unwrapped sets, loaded.
        metrics (Iterable[BaseMetric]): The metrics, built.
        found (Findings): Added to.
    """
    metrics = list(metrics)
    if not metrics:
        return
    infos: dict[object, dict] = {}
    for dataset in datasets:
        for i in range(len(dataset)):
            info = dataset.get_data_info(i)
            if 'img_id' not in info:
                return
            if info['img_id'] in infos and len(datasets) > 1:
                found.add(
                    'error',
                    f'Two sets of the {kind} dataset have images of the same id: their '
                    'predictions are measured against one of them',
                    'give the images of all sets ids of their own',
                    item=f'image {info["img_id"]}',
                )
            infos[info['img_id']] = info
    classes = datasets[0].metainfo.get('classes') if datasets else None
    for metric in metrics:
        # these write predictions, for images without annotations too
        if getattr(metric, 'format_only', False) or type(metric).__name__.startswith('Dump'):
            continue
        api = getattr(metric, '_coco_api', None)
        if api is None:
            _check_any_objects(kind, infos, found)
            continue
        _check_images(kind, infos, api, found)
        _check_ground_truth(kind, api, metric, classes, found)


def evaluated_names(datasets: Sequence, metrics: Iterable) -> list[str] | None:
    """List what an evaluator takes the labels for.

    Args:
        datasets (Sequence[BaseDataset]): The unwrapped sets.
        metrics (Iterable[BaseMetric]): The metrics, built.

    Returns:
        list[str] | None: Names in the order of the labels; None if there is
        no annotation file to read them from.
    """
    classes = datasets[0].metainfo.get('classes') if datasets else None
    for metric in metrics:
        api = getattr(metric, '_coco_api', None)
        if api is not None and classes and not isinstance(classes, str):
            # as CocoMetric itself does it
            return [api.cats[i]['name'] for i in api.getCatIds(catNms=list(classes))]
    return None


def _check_any_objects(kind: str, infos: dict, found: Findings) -> None:
    """See that there is something to be found, where objects are."""
    objects = [info['instances'] for info in infos.values() if 'instances' in info]
    if objects and not any(objects):
        found.add(
            'error',
            f'The {len(objects)} images of the {kind} dataset have no object of its classes: '
            'there is nothing to measure',
            'name the annotation file that has their objects, or leave the evaluation out',
        )


def _check_images(kind: str, infos: dict, api, found: Findings) -> None:
    key = f'{kind}_evaluator.ann_file'
    known = set(api.imgs)
    lost = sum(1 for i in infos if i not in known)
    if lost:
        found.add(
            'fatal',
            f'{lost} of the {len(infos)} images of the {kind} dataset are not in the file of its '
            'evaluator, which ends the evaluation by an AssertionError',
            f'set {key} to the ann_file of the {kind} dataset',
        )
        return
    missed = [i for i in known if i not in infos and api.imgToAnns.get(i)]
    if missed:
        found.add(
            'error',
            f'The file of the {kind} evaluator has {len(missed)} images with objects that the '
            f'{kind} dataset ({len(infos)} images) does not give: all of their objects count as '
            'missed',
            f'set {key} to the ann_file of the {kind} dataset, and leave indices and filter_cfg '
            'out of that',
        )
    others = [i for i in list(infos)[:COMPARED] if _differs(infos[i], api, i)]
    if others:
        found.add(
            'error',
            f'{len(others)} of {min(len(infos), COMPARED)} images of the {kind} dataset have other '
            f'objects in the file of its evaluator (image {others[0]} is the first): AP is '
            'measured against those',
            f'set {key} to the ann_file of the {kind} dataset',
        )


def _differs(info: dict, api, image_id: object) -> bool:
    """Tell whether an image has a box that its evaluator does not know."""
    if 'xml_path' in info or 'segments_info' in info:  # of another convention
        return False
    known = {
        tuple(round(v, 1) for v in a['bbox'])
        for a in api.imgToAnns.get(image_id, [])
        if a.get('bbox')
    }
    for instance in info.get('instances', []):
        x1, y1, x2, y2 = instance['bbox']
        if not any(_near((x1, y1, x2 - x1, y2 - y1), box) for box in known):
            return True
    return False


def _near(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(abs(a - b) <= 1 for a, b in zip(one, other))


def _check_ground_truth(kind: str, api, metric, classes, found: Findings) -> None:
    """Look for what pycocotools cannot evaluate."""
    annotations = api.dataset.get('annotations', [])
    if annotations and 'segments_info' in annotations[0]:
        return
    names = {i for i, c in api.cats.items() if not classes or c['name'] in classes}
    counts: Counter = Counter(a.get('category_id') in names for a in annotations)
    if not counts[True]:
        found.add(
            'error',
            f'The file of the {kind} evaluator has {len(api.imgs)} images and no object of the '
            'classes: AP is -1',
            'name the annotation file that has their objects, or leave the evaluation out',
        )
    segm = 'segm' in getattr(metric, 'metrics', ())
    file = f'{kind}_evaluator.ann_file'
    for annotation in annotations:
        item = f'annotation {annotation.get("id")} of image {annotation.get("image_id")}'
        if 'iscrowd' not in annotation:
            text = 'an annotation has no iscrowd: evaluation ends by a KeyError'
            found.add('fatal', text, 'add iscrowd: 0', file, item)
        image = api.imgs.get(annotation.get('image_id'))
        if segm and image is not None:
            fault = mask_fault(annotation.get('segmentation'), image['width'], image['height'])
            if fault and MASK_FAULTS[fault][1]:
                found.add('fatal', f'{fault}: evaluation ends by it', MASK_CURE, file, item)
