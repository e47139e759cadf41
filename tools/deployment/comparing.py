"""An exported file beside the model that it was made of."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from inrn_mm.deployment.pixels import PixelInput

from .onnx_model import OnnxModel, read_image

BOX, SCORE, MASK = 0.5, 1e-3, 0.02
# share of objects that a suppression decides otherwise, where an overlap is next to
# its threshold
LOST = 0.02


@dataclass
class Difference:
    """How far a file is from its model on an image.

    Args:
        image (str): Its path.
        boxes (float): Largest distance of an edge, in pixels of the network's input.
        scores (float): Largest difference of a score.
        masks (float): Largest difference within a mask. Defaults to 0.
        lost (int): Objects of one that the other has not. Defaults to 0.
        objects (int): Objects of both. Defaults to 0.
    """

    image: str
    boxes: float = 0.0
    scores: float = 0.0
    masks: float = 0.0
    lost: int = 0
    objects: int = 0

    def excess(self, factor: float = 1.0) -> float:
        """Compute by how many times the tolerances are exceeded; up to 1 is equal.

        Args:
            factor (float): Multiplies the tolerances of half a pixel, a score
                of 0.001, a mask of 0.02 and 2 % of the objects. Defaults to 1.
        """
        lost = self.lost / max(self.objects, 1) / LOST
        return max(self.boxes / BOX, self.scores / SCORE, self.masks / MASK, lost) / factor

    def __str__(self) -> str:
        text = f'boxes {self.boxes:.2g} pixels, scores {self.scores:.2g}'
        text += f', masks {self.masks:.2g}' if self.masks else ''
        return text + (f', {self.lost} of {self.objects} objects in one only' if self.lost else '')


def reference(model: nn.Module, canvas: np.ndarray, shape: Sequence[int], task: str) -> list:
    """Predict as mm does, on what the file is given.

    Args:
        model (nn.Module): A network of mmdet or mmpretrain, in evaluation mode.
        canvas (np.ndarray): ``(H, W, 3)``, uint8, BGR.
        shape (Sequence[int]): Height and width of the image in it.
        task (str): See :class:`OnnxModel`.

    Returns:
        list[np.ndarray]: What the file's outputs are, without what fills them up.
    """
    images = torch.from_numpy(canvas)[None]
    pixels = PixelInput(model.data_preprocessor)
    with torch.no_grad():
        if task == 'classification':
            logits = model(pixels(images), mode='tensor')
            logits = logits[-1] if isinstance(logits, (tuple, list)) else logits
            return [logits.softmax(1)[0].numpy()]
        sample, inputs = _sample(canvas, shape), pixels(images, torch.tensor(shape))
        if task == 'instances':
            features = model.extract_feat(inputs)
            proposals = model.rpn_head.predict(features, [sample], rescale=False)
            head, metas = model.roi_head, [sample.metainfo]
            found = head.predict_bbox(features, metas, proposals, head.test_cfg, rescale=False)[0]
        else:
            found = model.predict(inputs, [sample], rescale=False)[0].pred_instances
        return [found[name].numpy() for name in ('bboxes', 'scores', 'labels')]


def reference_masks(
    model: nn.Module, canvas: np.ndarray, shape: Sequence[int], found: Sequence[np.ndarray]
) -> np.ndarray:
    """Compute mm's masks of boxes, before they are laid over the image.

    Args:
        model (nn.Module): A detector of mmdet, with a mask head.
        canvas (np.ndarray): ``(H, W, 3)``, uint8, BGR.
        shape (Sequence[int]): Height and width of the image in it.
        found (Sequence[np.ndarray]): Boxes, scores and labels.

    Returns:
        np.ndarray: ``(K, h, w)``.
    """
    head = model.roi_head
    boxes, labels = torch.from_numpy(found[0]), torch.from_numpy(found[2])
    with torch.no_grad():
        inputs = PixelInput(model.data_preprocessor)(
            torch.from_numpy(canvas)[None], torch.tensor(shape)
        )
        features = model.extract_feat(inputs)
        rois = torch.cat([boxes.new_zeros(len(boxes), 1), boxes], 1)
        stages = [(i,) for i in range(head.num_stages)] if hasattr(head, 'num_stages') else [()]
        masks = [head._mask_forward(*s, features, rois)['mask_preds'].sigmoid() for s in stages]
        mean = torch.stack(masks).mean(0)
        return mean[torch.arange(len(boxes)), labels * (mean.shape[1] > 1)].numpy()


def _sample(canvas: np.ndarray, shape: Sequence[int]):
    from mmdet.structures import DetDataSample

    size = tuple(canvas.shape[:2])
    meta = dict(img_shape=tuple(shape), ori_shape=tuple(shape), scale_factor=(1.0, 1.0))
    return DetDataSample(metainfo=dict(meta, batch_input_shape=size, pad_shape=size))


def compare(model: nn.Module, exported: OnnxModel, paths: Iterable[Path]) -> list[Difference]:
    """Run a model and its file on images.

    Args:
        model (nn.Module): In evaluation mode, on the CPU.
        exported (OnnxModel): The file.
        paths (Iterable[Path]): Images.

    Returns:
        list[Difference]: One for each.
    """
    found = []
    for path in paths:
        canvas, shape, _ = exported.prepare(read_image(path))
        expected = reference(model, canvas, shape, exported.task)
        inputs = dict(images=canvas[None])
        if exported.task == 'classification':
            scores = exported.run(inputs)[0][0]
            found.append(Difference(str(path), scores=_far(scores, expected[0])))
            continue
        out = exported.run(dict(inputs, shape=np.asarray(shape, np.int64)))
        keep = out[1][0] > 0
        out = [x[0][keep] for x in out]
        found.append(match(str(path), expected, out))
        if exported.task == 'instances' and len(out[1]):
            masks = reference_masks(model, canvas, shape, out)
            found[-1].masks = _far(masks, out[3])
    return found


def match(path: str, expected: list[np.ndarray], found: list[np.ndarray]) -> Difference:
    """Find each object of one among those of the other.

    Those whose score is within the tolerance of the last one kept may be lost, as
    of two that are next to equal either may be kept.

    Args:
        path (str): The image, for the result.
        expected (list[np.ndarray]): Boxes, scores and labels of the model.
        found (list[np.ndarray]): Those of the file.
    """
    result = Difference(path, objects=len(expected[1]) + len(found[1]))
    if not len(expected[1]) and not len(found[1]):
        return result
    least = max((x[1].min() for x in (expected, found) if len(x[1])), default=0.0) + 2 * SCORE
    left = list(range(len(found[1])))
    for box, score, label in zip(*expected[:3]):
        near = [i for i in left if found[2][i] == label and abs(found[1][i] - score) < 10 * SCORE]
        if not near:
            result.lost += bool(score > least)
            continue
        best = min(near, key=lambda i: float(np.abs(found[0][i] - box).max()))
        distance = _far(found[0][best], box)
        if distance > 10 * BOX:
            result.lost += bool(score > least)
            continue
        left.remove(best)
        result.boxes = max(result.boxes, distance)
        result.scores = max(result.scores, float(abs(found[1][best] - score)))
    result.lost += sum(bool(found[1][i] > least) for i in left)
    return result


def _far(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max(initial=0.0))


def check_equal(differences: Sequence[Difference], factor: float = 1.0) -> Difference:
    """Refuse a file that differs.

    Args:
        differences (Sequence[Difference]): Those of images, at least one.
        factor (float): Multiplies the tolerances. Defaults to 1.

    Returns:
        Difference: The largest.

    Raises:
        ValueError: If one exceeds the tolerances; with its image.
    """
    worst = max(differences, key=lambda x: x.excess(factor))
    if worst.excess(factor) > 1:
        raise ValueError(
            f'The file and the model differ, most on {worst.image}: {worst}. The file is not '
            f'kept; a larger --tolerance than {factor:g} would keep it.'
        )
    return worst


def predict_all(
    exported: OnnxModel, dataset: Iterable, progress: Callable[[Iterable], Iterable]
) -> list:
    """Predict a validation set with a file, as data samples.

    Args:
        exported (OnnxModel): The file.
        dataset (Iterable): A set of mmdet or mmpretrain, with its whole test pipeline.
        progress (Callable): Wraps an iterable.

    Returns:
        list: Data samples with the predictions, for an evaluator.
    """
    from mmengine.structures import InstanceData

    samples = []
    for item in progress(dataset):
        sample = item['data_samples']
        found = exported(read_image(sample.img_path))
        if exported.task == 'classification':
            sample.set_pred_score(torch.from_numpy(found['scores']))
            sample.set_pred_label(int(found['scores'].argmax()))
        else:
            names = dict(boxes='bboxes', scores='scores', labels='labels', masks='masks')
            kept = {names[key]: torch.from_numpy(value) for key, value in found.items()}
            sample.pred_instances = InstanceData(**kept)
        samples.append(sample)
    return samples
