"""What the tools make of a config before the runner starts."""

import pytest
from mmengine.config import Config
from mmengine.registry import RUNNERS

from inrn_mm.distillation import KnowledgeDistiller
from inrn_mm.engine import launch, run_config
from inrn_mm.utils import config_types
from inrn_mm.utils.config_types import is_distiller, model_package


@RUNNERS.register_module()
class IdleRunner:
    @classmethod
    def from_cfg(cls, cfg):
        return cls()


def test_all_processes_start_from_one_checkpoint(monkeypatch):
    cfg = Config(
        dict(runner_type='IdleRunner', launcher='none', load_from='a/epoch_2.pth', resume=True)
    )
    assert isinstance(launch.build_runner(cfg), IdleRunner)
    monkeypatch.setattr(launch, 'all_gather_object', lambda mine: [mine, (None, False)])
    with pytest.raises(RuntimeError, match='epoch_2.*work_dir must be one'):
        launch.build_runner(cfg)


@pytest.mark.parametrize(
    'kind', ['KnowledgeDistiller', 'inrn_mm.KnowledgeDistiller', KnowledgeDistiller]
)
def test_a_distiller_however_it_is_written(kind):
    cfg = Config(dict(model=dict(type=kind)))
    run_config.add_hooks(cfg)
    assert cfg.custom_hooks[-1].type == 'TeacherCheckHook'
    own = dict(type='inrn_mm.TeacherCheckHook', num_batches=0)
    cfg.custom_hooks = [own]
    run_config.add_hooks(cfg)
    assert [hook for hook in cfg.custom_hooks if 'TeacherCheck' in hook.type] == [own]


@pytest.mark.parametrize('model', [None, dict(), dict(type='FasterRCNN')])
def test_no_distiller(model):
    assert not is_distiller(model)


def test_detector_or_classifier_by_the_model():
    from mmdet.models import FasterRCNN
    from torch import nn

    class Mine(FasterRCNN):
        pass

    def package(scope, kind, **model):
        return model_package(Config(dict(default_scope=scope, model=dict(type=kind, **model))))

    assert package('mmdet', 'FasterRCNN') == 'mmdet'
    assert package('mmdet', 'mmpretrain.ImageClassifier') == 'mmpretrain'
    assert package('mmpretrain', 'ImageClassifier') == 'mmpretrain'
    assert package(None, Mine) == 'mmdet'
    assert package(None, 'mmdet.models.detectors.faster_rcnn.FasterRCNN') == 'mmdet'
    assert package('mmpretrain', KnowledgeDistiller, student=dict(type=Mine)) == 'mmdet'
    assert package('mmdet', nn.Identity) == ''
    assert package('mmdet', 'NoSuchModel') == ''


def test_a_config_without_a_scope(monkeypatch):
    asked = []
    monkeypatch.setattr(config_types, 'init_default_scope', asked.append)
    for cfg in (dict(default_scope=None), dict(), dict(default_scope='mmdet')):
        config_types.init_scope(cfg)
    assert asked == ['mmengine', 'mmdet']
