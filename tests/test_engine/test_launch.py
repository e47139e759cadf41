"""What the tools make of a config before the runner starts."""
import pytest
from mmengine.config import Config
from mmengine.registry import RUNNERS

from inrn_mm.engine import launch


@RUNNERS.register_module()
class IdleRunner:

    @classmethod
    def from_cfg(cls, cfg):
        return cls()


def test_all_processes_start_from_one_checkpoint(monkeypatch):
    cfg = Config(
        dict(
            runner_type='IdleRunner',
            launcher='none',
            load_from='a/epoch_2.pth',
            resume=True))
    assert isinstance(launch.build_runner(cfg), IdleRunner)
    monkeypatch.setattr(launch, 'all_gather_object',
                        lambda mine: [mine, (None, False)])
    with pytest.raises(RuntimeError, match='epoch_2.*work_dir must be one'):
        launch.build_runner(cfg)
