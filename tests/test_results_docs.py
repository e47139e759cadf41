"""docs/results.md, docs/paper.md and docs/history.md: links, and BCCD's configs at work."""

import re
from pathlib import Path

import pytest
from voc_sets import make_voc

ROOT = Path(__file__).parents[1]
PAGES = ['results.md', 'paper.md', 'history.md']


def anchors(page):
    """Name the headings of a page as GitHub links to them."""
    heads = re.findall(r'^#+ (.*)$', page.read_text(), re.M)
    return {re.sub(r'[^\w\- ]', '', head.lower()).replace(' ', '-') for head in heads}


@pytest.mark.parametrize('page', PAGES)
def test_links_and_commands_exist(page):
    text = (ROOT / 'docs' / page).read_text()
    for link in re.findall(r'\]\((?!https?:)([^)]+)\)', text):
        file, _, anchor = link.partition('#')
        target = ROOT / 'docs' / (file or page)
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
    for script in re.findall(r'(?:bash|python) (tools/[\w./]+)', text):
        assert (ROOT / script).exists(), script
    for config in re.findall(r'configs/bccd/[\w-]+\.py', text):
        assert (ROOT / config).exists(), config


def test_every_claim_has_a_verdict():
    rows = re.findall(r'^\| (.+?) \| (.+) \| (.+?) \|$', (ROOT / 'docs/paper.md').read_text(), re.M)
    claims = [row for row in rows if row[2].startswith(('holds', 'does not', 'leans', 'cannot'))]
    assert len(claims) >= 10


@pytest.mark.parametrize('config', ['yolox_inrn-m', 'yolox-nano'])
def test_bccd_from_xml(config, tmp_path, monkeypatch):
    """An epoch, and COCO's AP of boxes that no file of COCO's holds."""
    pytest.importorskip('mmdet')
    from mmengine.config import Config
    from mmengine.runner import Runner

    import inrn_mm  # noqa: F401

    root = tmp_path / 'bccd'
    objects = [[('RBC', 10, 10, 50, 40), ('WBC', 30, 20, 60, 60)], [('Platelets', 5, 5, 5, 5)]] * 2
    make_voc(root, objects, ('RBC', 'WBC', 'Platelets'))
    monkeypatch.setenv('INRN_BCCD_ROOT', str(root))
    cfg = Config.fromfile(ROOT / f'configs/bccd/{config}_bccd.py')
    sets = root / 'ImageSets' / 'Main'
    sets.mkdir(parents=True)
    for split in ('train', 'val', 'test'):
        (sets / f'{split}.txt').write_text((root / 'train.txt').read_text())
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False)
        pipeline = loader.dataset.pipeline
        next(step for step in pipeline if step.type == 'Resize').scale = (64, 64)
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.param_scheduler = None
    cfg.model.test_cfg.score_thr = 0.0  # an untrained network is sure of nothing
    cfg.work_dir = str(tmp_path / 'work')
    runner = Runner.from_cfg(cfg)
    assert len(runner.build_dataloader(cfg.test_dataloader).dataset) == 4
    runner.train()
    assert runner.message_hub.get_scalar('val/coco/bbox_mAP').current() >= 0
