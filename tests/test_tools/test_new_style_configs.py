"""Configs as mmdet now writes them: no default scope, types are classes."""

import pickle

import pytest
from mmengine.registry import DefaultScope
from mmengine.utils import get_object_from_string
from tiny_coco import tiny_config
from tool_runs import dump_config


def with_classes(config):
    """Name the classes themselves, as a dumped config of that style does."""
    import mmdet.datasets
    import mmdet.engine
    import mmdet.evaluation
    import mmdet.models
    import mmdet.visualization  # noqa: F401
    from mmdet import registry as mm

    registries = (mm.MODELS, mm.DATASETS, mm.TRANSFORMS, mm.METRICS, mm.TASK_UTILS)
    registries += (mm.DATA_SAMPLERS, mm.HOOKS, mm.VISUALIZERS, mm.VISBACKENDS, mm.LOOPS)

    def convert(part):
        if isinstance(part, (list, tuple)):
            return type(part)(convert(each) for each in part)
        if not isinstance(part, dict):
            return part
        part = {key: convert(value) for key, value in part.items()}
        for registry in registries:
            found = registry.get(part['type']) if isinstance(part.get('type'), str) else None
            path = f'{getattr(found, "__module__", "")}.{getattr(found, "__qualname__", "")}'
            # some modules are hidden by functions of their names
            if path.startswith(('mmdet.', 'mmengine.', 'inrn_mm.')) and (
                get_object_from_string(path) is found
            ):
                part['type'] = path
                break
        return part

    return dict(convert(config), default_scope=None)


@pytest.fixture
def no_scope(monkeypatch):
    """As in a new process: other tests have set a scope."""
    monkeypatch.setattr(DefaultScope, '_instance_dict', type(DefaultScope._instance_dict)())


def test_train_test_draw_and_augment(tiny_coco, run_tool, tmp_path, capsys, no_scope):
    cfg = with_classes(tiny_config(tiny_coco, epochs=1))
    cfg['default_hooks'].pop('visualization')
    cfg.pop('visualizer')
    assert cfg['model']['type'].startswith('mmdet.models.')
    config = dump_config(tmp_path / 'new.py', cfg)
    run_tool('train.py', config, '--work-dir', tmp_path / 'run')
    test = ('test.py', config, tmp_path / 'run' / 'epoch_1.pth', '--work-dir', tmp_path / 'test')
    run_tool(*test, '--out', tmp_path / 'out.pkl', '--show-dir', tmp_path / 'pictures')
    with open(tmp_path / 'out.pkl', 'rb') as file:
        assert len(pickle.load(file)) == 6
    assert len(list((tmp_path / 'pictures').glob('*.png'))) == 6
    run_tool(*test, '--tta')
    assert 'coco/bbox_mAP' in capsys.readouterr().out
    with pytest.raises(SystemExit) as info:
        run_tool('analysis_tools/check_dataset.py', config)
    assert info.value.code == 0
