"""What --tta makes of a config."""

import pytest
from mmengine.config import Config

from inrn_mm.engine.tta import augment_test


def detector_config(dataset, **model):
    return Config(
        dict(
            default_scope='mmdet',
            model=dict(type='FasterRCNN', **model),
            test_dataloader=dict(dataset=dataset),
        )
    )


def leaf(name):
    return dict(type='CocoDataset', pipeline=[dict(type=name), dict(type='PackDetInputs')])


def test_tta_of_several_sets():
    cfg = detector_config(dict(type='ConcatDataset', datasets=[leaf('LoadA'), leaf('LoadB')]))
    augment_test(cfg)
    for dataset, name in zip(cfg.test_dataloader.dataset.datasets, ('LoadA', 'LoadB')):
        load, flips = dataset.pipeline
        assert (load.type, flips.type) == (name, 'TestTimeAug')
        assert [flip.prob for flip in flips.transforms[0]] == [1.0, 0.0]
        assert 'flip_direction' in flips.transforms[1][0].meta_keys


@pytest.mark.parametrize(
    'change',
    [
        lambda cfg: cfg.model.update(roi_head=dict(mask_head=dict(type='FCNMaskHead'))),
        lambda cfg: cfg.update(test_evaluator=dict(type='CocoMetric', metric=['bbox', 'segm'])),
        lambda cfg: cfg.model.update(panoptic_head=dict(type='MaskFormerHead')),
    ],
)
def test_tta_of_masks(change):
    cfg = detector_config(leaf('LoadA'))
    change(cfg)
    with pytest.raises(ValueError, match='merges boxes and no masks: leave out --tta'):
        augment_test(cfg)
    cfg.tta_model = dict(type='MaskTTAModel')  # the user's own may
    augment_test(cfg)
    assert cfg.model.type == 'MaskTTAModel'


def test_tta_of_a_student_beside_a_teacher_with_masks():
    cfg = detector_config(leaf('LoadA'))
    teacher = dict(type='MaskRCNN', roi_head=dict(mask_head=dict(type='FCNMaskHead')))
    cfg.model = dict(type='KnowledgeDistiller', student=cfg.model, teacher=teacher)
    augment_test(cfg)
    assert cfg.model.type == 'DetTTAModel'
