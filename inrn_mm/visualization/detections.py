"""Pictures of detections on small images."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from mmengine.visualization import Visualizer
from pycocotools import mask as coco_mask

# One colour for each class, as far as they go.
PALETTE = (
    (255, 99, 71),
    (64, 160, 255),
    (80, 220, 100),
    (255, 200, 0),
    (200, 120, 255),
    (0, 220, 220),
    (255, 128, 192),
    (170, 220, 60),
    (255, 150, 60),
    (150, 170, 255),
)


class DetectionPainter:
    """Draws boxes, labels and masks on enlarged small images.

    mmdet's visualizer scales its labels with the boxes, which makes them
    unreadable here.

    Args:
        classes (Sequence[str]): Names of the labels, short ones.
        scale (int): Pictures are enlarged by this factor. Defaults to 3.
        score_thr (float): Detections below are not drawn. Defaults to 0.5.
    """

    def __init__(self, classes: Sequence[str], scale: int = 3, score_thr: float = 0.5) -> None:
        self.classes = list(classes)
        self.visualizer = Visualizer()
        self.scale = scale
        self.score_thr = score_thr

    def draw(
        self,
        image: np.ndarray,
        bboxes: np.ndarray,
        labels: np.ndarray,
        scores: np.ndarray | None = None,
        masks: Sequence | None = None,
    ) -> np.ndarray:
        """Draw on an enlarged copy of an image.

        Args:
            image (ndarray): uint8 BGR, (H, W, 3).
            bboxes (ndarray): (n, 4), x1 y1 x2 y2 in pixels of the image.
            labels (ndarray): (n,).
            scores (ndarray, optional): (n,), written beside the label in
                percent; None marks ground truth. Defaults to None.
            masks (Sequence, optional): COCO run lengths, or bool (H, W)
                arrays. Defaults to None.

        Returns:
            ndarray: uint8 BGR, (scale H, scale W, 3).
        """
        large = cv2.resize(image, None, fx=self.scale, fy=self.scale, interpolation=cv2.INTER_CUBIC)
        labels = np.asarray(labels)
        shown = np.flatnonzero(
            np.ones(len(labels)) if scores is None else np.asarray(scores) >= self.score_thr
        ).tolist()
        self.visualizer.set_image(large[..., ::-1])
        if len(shown):
            colours = [PALETTE[labels[i] % len(PALETTE)] for i in shown]
            texts = [self.classes[labels[i]] for i in shown]
            if scores is not None:
                texts = [f'{text} {100 * float(scores[i]):.0f}' for text, i in zip(texts, shown)]
            boxes = np.asarray(bboxes, np.float32)[shown] * self.scale
            if masks is not None:
                self.visualizer.draw_binary_masks(
                    self._enlarge([masks[i] for i in shown], image.shape[:2]),
                    colors=colours,
                    alphas=0.5,
                )
            self._draw_boxes(boxes, texts, colours, large.shape)
        return np.ascontiguousarray(self.visualizer.get_image()[..., ::-1])

    def _draw_boxes(
        self, boxes: np.ndarray, texts: list[str], colours: list[tuple], shape: tuple
    ) -> None:
        height, width = shape[:2]
        boxes = boxes.clip(0, [width - 1, height - 1] * 2)
        self.visualizer.draw_bboxes(boxes, edge_colors=colours, line_widths=2)
        self.visualizer.draw_texts(
            texts,
            boxes[:, :2],
            font_sizes=max(round(width / 28), 6),
            colors='black',
            vertical_alignments='top',
            bboxes=[
                dict(facecolor=tuple(c / 255 for c in colour), edgecolor='none', pad=1)
                for colour in colours
            ],
        )

    def _enlarge(self, masks: Sequence, shape: tuple) -> np.ndarray:
        masks = [coco_mask.decode(mask) if isinstance(mask, dict) else mask for mask in masks]
        masks = np.asarray(masks, np.uint8).reshape(-1, *shape)
        return masks.repeat(self.scale, axis=1).repeat(self.scale, axis=2).astype(bool)


def coco_ground_truth(coco, image_id: int) -> dict[str, Any]:
    """List the objects of an image of a COCO set, crowd regions left out.

    Args:
        coco (pycocotools.coco.COCO): The set; categories are taken in the
            order of their ids.
        image_id (int): Id of the image.

    Returns:
        dict[str, Any]: ``bboxes`` (x1 y1 x2 y2), ``labels`` and ``masks``
        (arrays), as :meth:`DetectionPainter.draw` takes them.
    """
    order = {c: i for i, c in enumerate(sorted(coco.getCatIds()))}
    annotations = coco.loadAnns(coco.getAnnIds(image_id, iscrowd=False))
    corners = [[x, y, x + w, y + h] for x, y, w, h in (a['bbox'] for a in annotations)]
    return dict(
        bboxes=np.array(corners, np.float32).reshape(-1, 4),
        labels=np.array([order[a['category_id']] for a in annotations], np.int64),
        masks=[coco.annToMask(a) for a in annotations],
    )
