"""Ground truth from data samples."""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ..inputs import metainfos


def class_labels(loss: nn.Module, logits: Tensor, data_samples: list | None) -> Tensor:
    """Find one class for each row of logits.

    Args:
        loss (nn.Module): The loss, named in errors.
        logits (Tensor): ``(N, C)``, for their device and number.
        data_samples (list, optional): Data samples with a ``gt_label`` each,
            as mmpretrain makes them: one class, or several where a sample
            has several rows. Mixed images (MixUp, CutMix) count as the class
            with the most of their ``gt_score``.

    Returns:
        Tensor: Classes ``(N, )``.

    Raises:
        ValueError: If there are no labels, or not one for each row.
    """
    name = type(loss).__name__
    if not data_samples or isinstance(data_samples, dict) or 'gt_label' not in data_samples[0]:
        raise ValueError(
            f'{name} needs ground-truth labels: the data samples must have `gt_label`.'
        )
    labels = []
    for sample in data_samples:
        score = sample.get('gt_score')
        label = sample.gt_label if score is None else score.argmax()
        labels.append(torch.as_tensor(label).reshape(-1))
    labels = torch.cat(labels).to(logits.device, torch.long)
    if len(labels) != len(logits):
        raise ValueError(
            f'{name} needs one label for each row of logits, got '
            f'{len(labels)} labels for {len(logits)} rows; where label_layer runs several '
            "times, name the call that has them, as '...:input[1]@-1'."
        )
    return labels


def relative_boxes(loss: nn.Module, device: torch.device, data_samples: list | None) -> Tensor:
    """Find ground-truth boxes, as shares of the padded input.

    Args:
        loss (nn.Module): The loss, named in errors.
        device (torch.device): Where to.
        data_samples (list | dict, optional): mmdet's data samples, with
            ``gt_instances.bboxes`` in pixels of the input and
            ``batch_input_shape`` (or ``img_shape``, if nothing is padded); or
            mmyolo's dict, with ``bboxes_labels`` and ``img_metas``.

    Returns:
        Tensor: ``(N, M, 4)`` of ``x1, y1, x2, y2``, M the largest number of
        boxes; the rows that fill up are minus infinity.

    Raises:
        ValueError: If there are no boxes, or they have no four numbers.
    """
    found = _boxes(data_samples)
    if found is None or data_samples is None:
        raise ValueError(
            f'{type(loss).__name__} needs ground-truth boxes: the data samples must have '
            '`gt_instances.bboxes`.'
        )
    boxes, sizes = [], []
    for box, sample in zip(found, metainfos(data_samples or [])):
        boxes.append(_corners(loss, box))
        height, width = (sample.get('batch_input_shape') or sample['img_shape'])[:2]
        sizes.append([[width, height, width, height]])
    boxes = pad_sequence(boxes, True, padding_value=-torch.inf).to(device)
    return boxes / torch.tensor(sizes, dtype=torch.float32, device=device)


def _corners(loss: nn.Module, box: object) -> Tensor:
    """Make ``(M, 4)`` of corners of a tensor or one of mmdet's box types, of which
    rotated ones become the upright boxes around them."""
    if hasattr(box, 'convert_to'):
        box = box.convert_to('hbox').tensor
    box = torch.as_tensor(box).float()
    if box.numel() and box.shape[-1] != 4:
        raise ValueError(
            f'{type(loss).__name__} needs boxes of x1, y1, x2, y2, got a tensor '
            f'{tuple(box.shape)}: rotated ones must be of a box type, see mmrotate.'
        )
    return box.reshape(-1, 4)


def _boxes(data_samples: list | dict | None) -> list | None:
    """Find the boxes of each image, if there are any."""
    if isinstance(data_samples, dict):
        rows = data_samples.get('bboxes_labels')  # image, class, corners
        count = len(data_samples.get('img_metas', []))
        return None if rows is None else [rows[rows[:, 0] == i, 2:6] for i in range(count)]
    if not data_samples or 'gt_instances' not in data_samples[0]:
        return None
    return [sample.gt_instances.bboxes for sample in data_samples]
