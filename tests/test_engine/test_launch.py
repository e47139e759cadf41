"""What the tools make of a config before the runner starts."""

import pytest
from mmengine.config import Config
from mmengine.registry import RUNNERS

from inrn_mm.distillation import KnowledgeDistiller
from inrn_mm.engine import launch
from inrn_mm.utils.config_types import is_distiller


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
    launch.add_hooks(cfg)
    assert cfg.custom_hooks[-1].type == 'TeacherCheckHook'
    own = dict(type='inrn_mm.TeacherCheckHook', num_batches=0)
    cfg.custom_hooks = [own]
    launch.add_hooks(cfg)
    assert [hook for hook in cfg.custom_hooks if 'TeacherCheck' in hook.type] == [own]


@pytest.mark.parametrize('model', [None, dict(), dict(type='FasterRCNN')])
def test_no_distiller(model):
    assert not is_distiller(model)
