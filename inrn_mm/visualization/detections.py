"""Pictures of detections on small images."""
from typing import Dict, List, Optional, Sequence

import cv2
import numpy as np

# One colour for each class, as far as they go.
PALETTE = ((255, 99, 71), (64, 160, 255), (80, 220, 100), (255, 200, 0),
           (200, 120, 255), (0, 220, 220), (255, 128, 192), (170, 220, 60),
           (255, 150, 60), (150, 170, 255))


class DetectionPainter:
    """Draws boxes, labels and masks with mmdet's visualizer.

    Args:
        classes (Sequence[str]): Names of the labels.
        scale (int): Pictures are enlarged by this factor, so that labels on
            small images can be read. Defaults to 3.
        score_thr (float): Detections below are not drawn. Defaults to 0.3.
    """

    def __init__(self,
                 classes: Sequence[str],
                 scale: int = 3,
                 score_thr: float = 0.3) -> None:
        from mmdet.visualization import DetLocalVisualizer
        self.visualizer = DetLocalVisualizer(
            name='detections', line_width=2, alpha=0.55)
        self.visualizer.dataset_meta = dict(
            classes=tuple(classes),
            palette=[PALETTE[i % len(PALETTE)] for i in range(len(classes))])
        self.scale = scale
        self.score_thr = score_thr

    def draw(self,
             image: np.ndarray,
             bboxes: np.ndarray,
             labels: np.ndarray,
             scores: Optional[np.ndarray] = None,
             masks: Optional[Sequence] = None) -> np.ndarray:
        """Draw on an enlarged copy of an image.

        Args:
            image (ndarray): uint8 BGR, (H, W, 3).
            bboxes (ndarray): (n, 4), x1 y1 x2 y2 in pixels of the image.
            labels (ndarray): (n,).
            scores (ndarray, optional): (n,); None marks ground truth.
                Defaults to None.
            masks (Sequence, optional): COCO run lengths, or bool (H, W)
                arrays. Defaults to None.

        Returns:
            ndarray: uint8 BGR, (scale H, scale W, 3).
        """
        import torch
        from mmdet.structures import DetDataSample
        from mmengine.structures import InstanceData
        shown = np.ones(len(labels), bool) if scores is None \
            else np.asarray(scores) >= self.score_thr
        fields = dict(
            bboxes=torch.as_tensor(np.asarray(bboxes, np.float32)) *
            self.scale,
            labels=torch.as_tensor(np.asarray(labels, np.int64)))
        if scores is not None:
            fields['scores'] = torch.as_tensor(np.asarray(scores, np.float32))
        if masks is not None:
            fields['masks'] = torch.as_tensor(
                self._enlarge(masks, image.shape[:2]))
        instances = InstanceData(**fields)[torch.as_tensor(shown)]
        sample = DetDataSample(gt_instances=instances) if scores is None \
            else DetDataSample(pred_instances=instances)
        large = cv2.resize(
            image,
            None,
            fx=self.scale,
            fy=self.scale,
            interpolation=cv2.INTER_CUBIC)
        self.visualizer.add_datasample(
            'picture',
            large[..., ::-1],
            sample,
            draw_gt=scores is None,
            draw_pred=scores is not None,
            pred_score_thr=0.)
        return np.ascontiguousarray(self.visualizer.get_image()[..., ::-1])

    def _enlarge(self, masks: Sequence, shape: tuple) -> np.ndarray:
        from pycocotools import mask as coco_mask
        masks = [
            coco_mask.decode(mask) if isinstance(mask, dict) else mask
            for mask in masks
        ]
        masks = np.asarray(masks, np.uint8).reshape(-1, *shape)
        return masks.repeat(
            self.scale, axis=1).repeat(
                self.scale, axis=2).astype(bool)


def coco_ground_truth(coco, image_id: int) -> Dict[str, List]:
    """Objects of an image of a COCO set, crowd regions left out.

    Args:
        coco (pycocotools.coco.COCO): The set; categories are taken in the
            order of their ids.
        image_id (int): Id of the image.

    Returns:
        dict[str, list]: ``bboxes`` (x1 y1 x2 y2), ``labels`` and ``masks``
        (arrays), as :meth:`DetectionPainter.draw` takes them.
    """
    order = {c: i for i, c in enumerate(sorted(coco.getCatIds()))}
    annotations = coco.loadAnns(coco.getAnnIds(image_id, iscrowd=False))
    boxes = [a['bbox'] for a in annotations]
    return dict(
        bboxes=np.float32([[x, y, x + w, y + h]
                           for x, y, w, h in boxes]).reshape(-1, 4),
        labels=np.int64([order[a['category_id']] for a in annotations]),
        masks=[coco.annToMask(a) for a in annotations])
