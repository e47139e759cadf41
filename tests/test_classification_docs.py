"""docs/classification.md's snippets do what they say."""

import re
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from tools.demo.digits import CLASSES, DigitsSettings, make_digits

pytest.importorskip('mmpretrain')
ROOT = Path(__file__).parents[1]
PAGE = (ROOT / 'docs' / 'classification.md').read_text()
MINE, USE, BACKBONE = re.findall(r'```python\n(.*?)```', PAGE, re.S)


def test_your_own_images(tmp_path):
    (tmp_path / 'configs').symlink_to(ROOT / 'configs')
    (tmp_path / 'mine.py').write_text(MINE)
    cfg = Config.fromfile(tmp_path / 'mine.py')
    init_default_scope('mmpretrain')
    cfg.model.update(teacher_checkpoint=None, allow_random_teacher=True)
    cfg.model.setdefault('data_preprocessor', cfg.data_preprocessor)
    model = MODELS.build(cfg.model)
    assert model.head.fc.out_features == 2
    assert model.teacher.net.backbone.depth == 101
    for loader in (cfg.train_dataloader, cfg.val_dataloader):
        assert loader.dataset.type == 'CustomDataset'
        assert not {'ann_file', 'split', 'data_root'} & set(loader.dataset)
    assert cfg.test_dataloader.dataset.data_prefix == 'data/mine/val'


def test_a_checkpoint_at_work(tmp_path, monkeypatch):
    make_digits(tmp_path, DigitsSettings(train=10, pool=10, val=10))
    monkeypatch.setenv('INRN_DIGITS_ROOT', str(tmp_path))
    config = str(ROOT / 'configs/demo/inrn-s_digits_demo.py')
    init_default_scope('mmpretrain')
    net = MODELS.build(Config.fromfile(config).model)
    torch.save(
        dict(state_dict=net.state_dict(), meta=dict(dataset_meta=dict(classes=CLASSES))),
        tmp_path / 'a.pth',
    )
    names = dict(
        config=config,
        plain_config=config,
        checkpoint=str(tmp_path / 'a.pth'),
        image=str(next(tmp_path.glob('val/*/*.png'))),
    )
    exec(USE, names)
    assert torch.equal(names['model'].head.fc.weight.cpu(), net.head.fc.weight)
    assert names['pooled'][0].shape == (128,)
    feats = names['stages'].extract_feat(torch.rand(1, 3, 16, 16), stage='backbone')
    assert [x.shape[1] for x in feats] == [32, 64, 128]


def test_backbone_of_a_detector():
    """What it does is in tests/test_tools/test_classification.py."""
    names = {}
    exec(BACKBONE, names)
    assert MODELS.build(names['backbone']).init_cfg['prefix'] == 'backbone.'


def test_links_and_commands_exist():
    for target in re.findall(r'\]\((?!http)([^)#]+)\)', PAGE):
        assert (ROOT / 'docs' / target).exists(), target
    for script in re.findall(r'(?:bash|python) (tools/\S+)', PAGE):
        assert (ROOT / script).exists(), script
    for config in re.findall(r'configs/classification/\S+\.py', PAGE):
        assert (ROOT / config).exists(), config
