"""Test-time augmentation of any config: images and their mirror images."""

from copy import deepcopy

from mmengine.config import Config, ConfigDict

from ..datasets.checks.usage import leaf_configs, predicts_masks
from ..utils.config_types import model_package, type_name

# how the predictions for an image and its mirror image become one (mmdet's is
# registered with mmengine)
TTA_MODELS: dict[str, dict] = dict(
    mmdet=dict(
        type='DetTTAModel', tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)
    ),
    mmpretrain=dict(type='mmpretrain.AverageClsScoreTTA'),
    mmseg=dict(type='mmseg.SegTTAModel'),
)


def augment_test(cfg: Config) -> None:
    """Wrap the model for test-time augmentation.

    Images are flipped, unless the config has a ``tta_model`` and
    ``tta_pipeline`` of its own.

    Args:
        cfg (Config): Changed in place; all of the test dataloader's sets.

    Raises:
        ValueError: If mmdet cannot merge what the model predicts, or the
            model is of none of the packages above.
    """
    package = model_package(cfg)
    tta_model = cfg.get('tta_model') or TTA_MODELS.get(package)
    if tta_model is None:
        raise ValueError(
            '--tta needs a tta_model in the config: this model is none of '
            'mmdet, mmpretrain and mmseg.'
        )
    if type_name(tta_model) == 'DetTTAModel' and predicts_masks(cfg):
        raise ValueError(
            "mmdet's test-time augmentation merges boxes and no masks: leave out --tta, or name "
            'a tta_model in the config that merges masks.'
        )
    for _, dataset in leaf_configs(cfg.test_dataloader.dataset, ''):
        dataset['pipeline'] = cfg.get('tta_pipeline') or _flipped(dataset['pipeline'], package)
    cfg.model = ConfigDict(**deepcopy(tta_model), module=cfg.model)


def _flipped(pipeline: list, package: str) -> list:
    """Let a pipeline give each image twice, as it is and flipped."""
    *pipeline, pack = deepcopy(pipeline)
    flip = 'RandomFlip'
    if package == 'mmdet':
        flip = 'mmdet.RandomFlip'
        pack.meta_keys = (
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
            'flip',
            'flip_direction',
        )
    behind = [pack]
    if package == 'mmseg':
        # which turns its predictions back: its labels stay as they are
        labels = [step for step in pipeline if type_name(step) == 'LoadAnnotations']
        pipeline = [step for step in pipeline if step not in labels]
        behind = [*labels, pack]
    flips = [dict(type=flip, prob=prob) for prob in (1.0, 0.0)]
    return [*pipeline, dict(type='TestTimeAug', transforms=[flips, *([step] for step in behind)])]
