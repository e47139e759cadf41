"""Boxes before their suppression, from the heads of one-stage detectors and RPNs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .operators import suppress


@dataclass
class Candidates:
    """Boxes of one image.

    Args:
        boxes (Tensor): ``(N, 4)`` of x1, y1, x2, y2 in pixels of the network's
            input.
        scores (Tensor): ``(N, )``; -1 for what is none.
        labels (Tensor): ``(N, )``, classes, or levels of an RPN.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor

    def best(self, nms: dict, threshold: float, most: int) -> tuple[Tensor, Tensor, Tensor]:
        """Suppress boxes by others of their label.

        Args:
            nms (dict): mmdet's, of type ``nms``.
            threshold (float): What a score must be above.
            most (int): How many are kept.

        Returns:
            tuple[Tensor, Tensor, Tensor]: Boxes ``(most, 4)``, scores and labels
            ``(most, )`` by falling scores; those that are none have a score of 0
            and a label of -1.
        """
        boxes = self.boxes
        if not nms.get('class_agnostic', False):
            # each label on an island of its own; what is none may lie anywhere
            far = torch.where((self.scores > threshold)[:, None], boxes, 0.0).max() + 1
            boxes = boxes + (self.labels.to(boxes) * far)[:, None]
        indices, counts = suppress(boxes, self.scores, nms['iou_threshold'], threshold, most)
        return (
            self.boxes[indices] * counts[:, None],
            self.scores[indices] * counts,
            torch.where(counts, self.labels[indices], -1),
        )


def join(parts: Sequence[Candidates]) -> Candidates:
    """Put candidates of several levels into one."""
    return Candidates(
        torch.cat([part.boxes for part in parts]),
        torch.cat([part.scores for part in parts]),
        torch.cat([part.labels for part in parts]),
    )


def clamp(boxes: Tensor, shape: Tensor) -> Tensor:
    """Cut boxes ``(N, 4)`` to an image of ``shape``, height and width."""
    high = torch.stack([shape[1], shape[0], shape[1], shape[0]]).to(boxes)
    return torch.minimum(boxes.clamp(min=0), high)


def drop_small(boxes: Tensor, scores: Tensor, least: float) -> Tensor:
    """Set scores ``(N, )`` to -1 where a side is not above ``least`` pixels; keep
    all if that is negative."""
    if least < 0:
        return scores
    return torch.where((boxes[:, 2:] - boxes[:, :2] > least).all(1), scores, -1.0)


def top(scores: Tensor, count: int, any_size: bool) -> tuple[Tensor, Tensor]:
    """Take the highest scores of a level.

    Args:
        scores (Tensor): ``(N, )``, not negative.
        count (int): How many; all if it is not positive.
        any_size (bool): Whether N is not known, so that -1 and index 0 fill up
            what may be missing.

    Returns:
        tuple[Tensor, Tensor]: Scores ``(K, )`` and their indices.
    """
    if count <= 0 or (not any_size and scores.shape[0] <= count):
        return scores, torch.arange(scores.shape[0], device=scores.device)
    if any_size:
        scores = torch.cat([scores, scores.new_full((count,), -1.0)])
    best, indices = scores.topk(count)
    return best, torch.where(best < 0, 0, indices) if any_size else indices


class DenseCandidates(nn.Module):
    """Candidates of mmdet's one-stage heads: anchors, points, GFL's, YOLOX's.

    Args:
        head (nn.Module): The head, with its ``test_cfg``.
        any_size (bool): Whether images of any size are taken. Defaults to False.

    Raises:
        ValueError: If it predicts in a way of its own.
    """

    def __init__(self, head: nn.Module, any_size: bool = False) -> None:
        super().__init__()
        self.any_size = any_size
        self.head = head
        self.decode = self._find_decoder()
        self.settings = dict(head.test_cfg)
        check_nms(self.settings.get('nms'))

    def _find_decoder(self) -> Callable:
        kind = type(self.head)
        single = _owner(kind, '_predict_by_feat_single')
        whole = _owner(kind, 'predict_by_feat')
        if whole == 'YOLOXHead':
            return self._yolox
        if whole == 'BaseDenseHead' and single == 'BaseDenseHead':
            return self._plain
        if whole == 'BaseDenseHead' and single == 'GFLHead':
            return self._gfl
        raise ValueError(
            f'{kind.__name__} predicts in a way of its own, which the export does not know: heads '
            "with mmdet's common prediction (RetinaNet, FCOS, ATSS, RTMDet, SSD and others), "
            'GFL and YOLOX are.'
        )

    def forward(self, features: Sequence[Tensor], shape: Tensor) -> list[Candidates]:
        """Predict.

        Args:
            features (Sequence[Tensor]): Maps ``(N, C, H, W)`` of the neck.
            shape (Tensor): ``(2, )``, height and width of the images.

        Returns:
            list[Candidates]: One for each image.
        """
        outputs = self.head(tuple(features))
        sizes = [x.shape[-2:] for x in outputs[0]]
        return [
            self.decode([[level[i] for level in out] for out in outputs], sizes, shape)
            for i in range(features[0].shape[0])
        ]

    def select(self, scores: Tensor, *others: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Take the best classes of the best places of a level.

        Args:
            scores (Tensor): ``(P, C)``.
            *others (Tensor): ``(P, ...)``.

        Returns:
            tuple[Tensor, Tensor, list[Tensor]]: Scores ``(K, )``, -1 below the threshold,
            classes ``(K, )`` and the others ``(K, ...)``.
        """
        flat, best = top(scores.flatten(), self.settings.get('nms_pre', -1), self.any_size)
        places, classes = best // scores.shape[1], best % scores.shape[1]
        flat = torch.where(flat > self.settings.get('score_thr', 0), flat, -1.0)
        return flat, classes, [other[places] for other in others]

    def _plain(self, outputs: list, sizes: list, shape: Tensor) -> Candidates:
        """Anchors or points, perhaps with a factor such as centerness."""
        head = self.head
        priors = head.prior_generator.grid_priors(sizes, device=outputs[0][0].device)
        parts = []
        for scores, boxes, prior, *factor in zip(*outputs[:2], priors, *outputs[2:3]):
            found, classes, (box, place, *more) = self.select(
                self._activate(_rows(scores, head.cls_out_channels)),
                _rows(boxes, head.bbox_coder.encode_size),
                prior,
                *(_rows(x, 1)[:, 0].sigmoid() for x in factor),
            )
            decoded = clamp(head.bbox_coder.decode(place, box), shape)
            for x in more:
                found = torch.where(found < 0, found, found * x)
            parts.append(Candidates(decoded, self._large(decoded, found), classes))
        return join(parts)

    def _activate(self, scores: Tensor) -> Tensor:
        if self.head.use_sigmoid_cls:
            return scores.sigmoid()
        return scores.softmax(1)[:, :-1]

    def _gfl(self, outputs: list, sizes: list, shape: Tensor) -> Candidates:
        """Distances to the edges as distributions."""
        head = self.head
        priors = head.prior_generator.grid_priors(sizes, device=outputs[0][0].device)
        strides = head.prior_generator.strides
        parts = []
        for scores, boxes, prior, stride in zip(*outputs[:2], priors, strides):
            distances = head.integral(boxes.permute(1, 2, 0)) * stride[0]
            found, classes, (box, place) = self.select(
                _rows(scores, head.cls_out_channels).sigmoid(), distances, prior
            )
            decoded = clamp(head.bbox_coder.decode(head.anchor_center(place), box), shape)
            parts.append(Candidates(decoded, self._large(decoded, found), classes))
        return join(parts)

    def _large(self, boxes: Tensor, scores: Tensor) -> Tensor:
        return drop_small(boxes, scores, self.settings.get('min_bbox_size', -1))

    def _yolox(self, outputs: list, sizes: list, shape: Tensor) -> Candidates:
        """The best class of each place, times its objectness."""
        head = self.head
        priors = head.prior_generator.grid_priors(
            sizes, device=outputs[0][0].device, with_stride=True
        )
        rows = [torch.cat([_rows(x, x.shape[0]) for x in out]) for out in outputs]
        scores, classes = rows[0].sigmoid().max(1)
        scores = scores * rows[2][:, 0].sigmoid()
        scores = torch.where(scores >= self.settings['score_thr'], scores, -1.0)
        return Candidates(head._bbox_decode(torch.cat(priors), rows[1]), scores, classes)


class RegionProposals(nn.Module):
    """Proposals of an RPN.

    Args:
        head (nn.Module): mmdet's ``RPNHead``.
        any_size (bool): Whether images of any size are taken. Defaults to False.

    Raises:
        ValueError: If it is another.
    """

    def __init__(self, head: nn.Module, any_size: bool = False) -> None:
        super().__init__()
        self.any_size = any_size
        if _owner(type(head), '_predict_by_feat_single') != 'RPNHead':
            raise ValueError(
                f'{type(head).__name__} proposes in a way of its own, which the export does not '
                'know: RPNHead is.'
            )
        self.head = head
        self.settings = dict(head.test_cfg)
        check_nms(self.settings.get('nms'))

    def forward(self, features: Sequence[Tensor], shape: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Propose.

        Args:
            features (Sequence[Tensor]): Maps ``(N, C, H, W)`` of the neck.
            shape (Tensor): ``(2, )``, height and width of the images.

        Returns:
            list[tuple[Tensor, Tensor]]: For each image boxes ``(K, 4)`` and
            ``(K, )`` whether they are some.
        """
        scores, boxes = self.head(tuple(features))
        sizes = [x.shape[-2:] for x in scores]
        priors = self.head.prior_generator.grid_priors(sizes, device=scores[0].device)
        return [
            self._propose([x[i] for x in scores], [x[i] for x in boxes], priors, shape)
            for i in range(features[0].shape[0])
        ]

    def _propose(
        self, scores: list[Tensor], boxes: list[Tensor], priors: list[Tensor], shape: Tensor
    ) -> tuple[Tensor, Tensor]:
        head, settings = self.head, self.settings
        count = settings.get('nms_pre', -1)
        parts = []
        for i, (score, box, prior) in enumerate(zip(scores, boxes, priors)):
            rows = _rows(score, head.cls_out_channels)
            found = (rows.sigmoid() if head.use_sigmoid_cls else rows.softmax(1)[:, :-1])[:, 0]
            box = _rows(box, head.bbox_coder.encode_size)
            found, best = top(found, count, self.any_size)
            decoded = clamp(head.bbox_coder.decode(prior[best], box[best]), shape)
            found = drop_small(decoded, found, settings.get('min_bbox_size', -1))
            parts.append(Candidates(decoded, found, torch.full_like(found, i, dtype=torch.long)))
        kept, found, _ = join(parts).best(settings['nms'], -0.5, settings['max_per_img'])
        return kept, found > 0


def check_nms(nms: dict | None) -> None:
    """Refuse another suppression than the plain one.

    Args:
        nms (dict, optional): mmdet's.

    Raises:
        ValueError: If it is not ``dict(type='nms', iou_threshold=...)``.
    """
    if not nms or nms.get('type', 'nms') != 'nms':
        raise ValueError(
            f'The export knows the suppression nms, and not {(nms or {}).get("type")}: set nms in '
            "the model's test_cfg to dict(type='nms', iou_threshold=0.6)."
        )


def _rows(x: Tensor, channels: int) -> Tensor:
    """Lay a map ``(A * channels, H, W)`` out as ``(H * W * A, channels)``."""
    return x.permute(1, 2, 0).reshape(-1, channels)


def _owner(kind: type, method: str) -> str:
    """Name the class that a method comes from."""
    return getattr(getattr(kind, method, None), '__qualname__', '').partition('.')[0]
