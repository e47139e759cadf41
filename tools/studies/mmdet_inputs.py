"""Images, videos and annotations that MMDetection's models are tried on."""

import torch
from mmengine.config import Config

# Steps between the pixels of semantic maps.
STRIDES = {'HybridTaskCascade': 8, 'SCNet': 8}
BOXES = 4


def find_values(cfg: Config, key: str) -> list:
    """List the values that an entry has anywhere in a config."""
    found = [cfg[key]] if key in cfg else []
    for value in cfg.values():
        for part in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(part, dict):
                found += find_values(part, key)
    return found


def make_batch(cfg: Config, size: tuple[int, int]) -> dict:
    """Draw two images with all annotations that a detector may ask for.

    Args:
        cfg (Config): The model.
        size (tuple[int, int]): Height and width.

    Returns:
        dict: ``inputs`` and ``data_samples``, as a data loader gives them.
    """
    from mmdet.testing import demo_mm_inputs, demo_mm_proposals

    classes = min([n for n in find_values(cfg, 'num_classes') if isinstance(n, int)] or [10])
    texts = ['a cat . a dog . a horse .'] * 2 if 'language_model' in cfg else None
    batch = demo_mm_inputs(
        2,
        (3, *size),
        num_items=[BOXES, BOXES],
        num_classes=max(2, min(classes, 10)),
        sem_seg_output_strides=STRIDES.get(cfg.type, 1),
        with_mask=True,
        with_semantic=True,
        texts=texts,
    )
    proposals = demo_mm_proposals([(3, *size)] * 2, 20)
    for sample, boxes in zip(batch['data_samples'], proposals):
        if cfg.type == 'FastRCNN':
            sample.proposals = boxes
        sample.gt_instances.labels.clamp_(max=classes - 1)
    return batch


def make_video(size: tuple[int, int]) -> dict:
    """Draw a video of two frames."""
    from mmdet.testing import demo_track_inputs

    return demo_track_inputs(
        image_shapes=(3, *size), key_frames_inds=[0], num_items=[BOXES], with_mask=True
    )


def make_lanes(size: tuple[int, int]) -> dict:
    """Draw two images with one lane each."""
    from mmengine.structures import BaseDataElement, PixelData

    lanes = torch.zeros(4, 78)
    lanes[:, 0] = 1
    # no background, start at the bottom, angle, length and places
    lanes[0] = torch.cat([torch.tensor([0, 1, 0, 0.3, 0.4, 60.0]), torch.full((72,), 200.0)])
    samples = []
    for _ in range(2):
        sample = BaseDataElement(metainfo=dict(img_shape=size))
        sample.lines_array = lanes
        sample.org_height, sample.org_width = size
        sample.gt_sem_seg = PixelData(sem_seg=torch.randint(0, 5, (1, *size)))
        samples.append(sample)
    images = list(torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8))
    return dict(inputs=images, data_samples=samples)


def make_people(size: tuple[int, int]) -> dict:
    """Draw four pictures of two people."""
    from mmdet.structures import ReIDDataSample

    samples = [ReIDDataSample().set_gt_label(i // 2) for i in range(4)]
    images = list(torch.randint(0, 256, (4, 3, *size), dtype=torch.uint8))
    return dict(inputs=images, data_samples=samples)


def make_inputs(cfg: Config, size: tuple[int, int]) -> tuple[dict, dict]:
    """Draw what a model is trained on and what it predicts from.

    Args:
        cfg (Config): The model.
        size (tuple[int, int]): Height and width.

    Returns:
        tuple[dict, dict]: Both, as data loaders give them.
    """
    kind = cfg.get('data_preprocessor', {}).get('type', '')
    if kind == 'LineDetDataProcessor':
        return (make_lanes(size),) * 2
    if kind == 'ReIDDataPreprocessor':
        return (make_people(size),) * 2
    if kind == 'TrackDataPreprocessor':
        # some trackers are trained as detectors, on single images
        video = make_video(size)
        single = cfg.data_preprocessor.get('use_det_processor')
        return make_batch(cfg.detector, size) if single else video, video
    if kind == 'MultiBranchDataPreprocessor':
        batch = make_batch(cfg.detector, size)
        for sample in batch['data_samples']:
            sample.set_metainfo(dict(homography_matrix=torch.eye(3).numpy()))
        branches = ('sup', 'unsup_teacher', 'unsup_student')
        train = {key: dict.fromkeys(branches, value) for key, value in batch.items()}
    else:
        train = batch = make_batch(cfg, size)
    # guided anchoring predicts from single images only
    return train, {key: value[:1] for key, value in batch.items()}
