"""The heads of two-stage detectors: boxes and masks of proposed regions."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .candidates import Candidates, RegionProposals, check_nms, clamp
from .operators import pool_regions


class RegionPooling(nn.Module):
    """mmdet's extractor of regions.

    Args:
        extractor (nn.Module): ``SingleRoIExtractor`` of ``RoIAlign``.

    Raises:
        ValueError: If it is another.
    """

    def __init__(self, extractor: nn.Module) -> None:
        super().__init__()
        kind = type(extractor).__name__
        layers = getattr(extractor, 'roi_layers', [])
        if kind != 'SingleRoIExtractor' or any(type(x).__name__ != 'RoIAlign' for x in layers):
            raise ValueError(
                f'The export knows regions that SingleRoIExtractor pools by RoIAlign, and not '
                f'those of {kind}.'
            )
        layer = layers[0]
        self.size = layer.output_size[0]
        self.sampling = layer.sampling_ratio
        self.aligned = layer.aligned
        self.strides = list(extractor.featmap_strides)
        self.finest = float(extractor.finest_scale)

    def forward(self, features: Sequence[Tensor], boxes: Tensor) -> Tensor:
        """Pool the boxes ``(K, 4)`` of an image from its maps ``(1, C, H, W)``."""
        levels = [x.contiguous() for x in features[: len(self.strides)]]
        return pool_regions(
            levels, boxes, self.strides, self.size, self.finest, self.sampling, self.aligned
        )


class RegionHeads(nn.Module):
    """RPN and RoI head, of one stage or a cascade.

    Args:
        rpn_head (nn.Module): mmdet's ``RPNHead``.
        roi_head (nn.Module): ``StandardRoIHead`` or ``CascadeRoIHead``.
        any_size (bool): Whether images of any size are taken. Defaults to False.

    Raises:
        ValueError: If one of them predicts in a way that is not known.
    """

    def __init__(self, rpn_head: nn.Module, roi_head: nn.Module, any_size: bool = False) -> None:
        super().__init__()
        kind = type(roi_head).__name__
        if kind not in ('StandardRoIHead', 'CascadeRoIHead'):
            raise ValueError(
                f'{kind} predicts in a way of its own, which the export does not know: '
                'StandardRoIHead and CascadeRoIHead are.'
            )
        self.proposals = RegionProposals(rpn_head, any_size)
        self.cascade = kind == 'CascadeRoIHead'
        self.box_heads = self._list(roi_head.bbox_head)
        for head in self.box_heads:
            if not (head.with_cls and head.with_reg) or head.custom_cls_channels:
                raise ValueError(
                    f'{type(head).__name__} has classes or boxes of its own, which the export '
                    'does not know.'
                )
        self.box_pooling = nn.ModuleList(
            RegionPooling(x) for x in self._list(roi_head.bbox_roi_extractor)
        )
        self.mask_heads = self._list(roi_head.mask_head) if roi_head.with_mask else []
        if roi_head.with_mask:
            self.mask_pooling = nn.ModuleList(
                RegionPooling(x)
                for x in self._list(
                    roi_head.bbox_roi_extractor
                    if roi_head.share_roi_extractor
                    else roi_head.mask_roi_extractor
                )
            )
        self.settings = dict(roi_head.test_cfg)
        check_nms(self.settings.get('nms'))

    def _list(self, modules: nn.Module) -> nn.ModuleList:
        return modules if isinstance(modules, nn.ModuleList) else nn.ModuleList([modules])

    def forward(self, features: Sequence[Tensor], shape: Tensor) -> list[tuple[Tensor, ...]]:
        """Detect.

        Args:
            features (Sequence[Tensor]): Maps ``(N, C, H, W)`` of the neck.
            shape (Tensor): ``(2, )``, height and width of the images.

        Returns:
            list[tuple[Tensor, ...]]: For each image boxes ``(K, 4)``, scores and
            labels ``(K, )`` and, of a network with masks, ``(K, h, w)``.
        """
        found = []
        for i, (boxes, counts) in enumerate(self.proposals(features, shape)):
            maps = [x[i : i + 1] for x in features]
            kept = self._classify(maps, boxes, counts, shape)
            masks = self._masks(maps, kept) if self.mask_heads else ()
            found.append((*kept, *masks))
        return found

    def _classify(
        self, maps: list[Tensor], boxes: Tensor, counts: Tensor, shape: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Score and correct proposals, once or in a cascade."""
        scores = []
        for i, (head, pool) in enumerate(zip(self.box_heads, self.box_pooling)):
            logits, deltas = head(pool(maps, boxes))
            scores.append(logits)
            if i + 1 < len(self.box_heads):
                best = logits[:, :-1].argmax(1) * (not head.reg_class_agnostic)
                boxes = clamp(self._correct(head, boxes, deltas)[_rows(best), best], shape)
        classes = (sum(scores) / len(scores)).softmax(1)[:, :-1]
        classes = torch.where(counts[:, None], classes, -1.0)
        boxes = clamp(self._correct(head, boxes, deltas).flatten(0, 1), shape)
        boxes = boxes.view(len(classes), -1, 4).expand(-1, classes.shape[1], -1)
        labels = torch.arange(classes.shape[1], device=classes.device).expand_as(classes)
        every = Candidates(boxes.flatten(0, 1), classes.flatten(), labels.flatten())
        settings = self.settings
        return every.best(settings['nms'], settings['score_thr'], settings['max_per_img'])

    def _correct(self, head: nn.Module, boxes: Tensor, deltas: Tensor) -> Tensor:
        """Decode ``(K, 1 or classes, 4)`` boxes."""
        count = deltas.shape[1] // 4
        places = boxes[:, None].expand(-1, count, -1).reshape(-1, 4)
        return head.bbox_coder.decode(places, deltas.view(-1, 4)).view(-1, count, 4)

    def _masks(self, maps: list[Tensor], kept: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor]:
        """Compute the mask of each box's class, the mean over the stages."""
        boxes, _, labels = kept
        masks = []
        for head, pool in zip(self.mask_heads, self.mask_pooling):
            mask = head(pool(maps, boxes)).sigmoid()
            chosen = labels.clamp(min=0) * (mask.shape[1] > 1)
            masks.append(mask[_rows(labels), chosen])
        return (torch.stack(masks).mean(0),)


def _rows(x: Tensor) -> Tensor:
    return torch.arange(x.shape[0], device=x.device)
