"""From a folder of images to a backbone with weights: docs/pretraining.md, run."""

import hashlib
import re
import shlex

import cv2
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from tool_runs import ROOT, dump_config, logged

from inrn_mm.distillation.losses import DistillLoss
from inrn_mm.engine import load_state
from tools.demo.digits import DigitsSettings, make_digits

pytest.importorskip('mmpretrain')
PAGE = (ROOT / 'docs' / 'pretraining.md').read_text()
NAME = 'inrn-m_from-efficientnet-lite0'
ARCH = dict(widths=[4, 4, 8, 8], depths=[1] * 4, stem='conv3')
COMMANDS = [
    shlex.split(command)
    for block in re.findall(r'```bash\n(.*?)```', PAGE, re.S)
    for command in block.replace('\\\n', '').splitlines()
]
SNIPPETS = re.findall(r'```python\n(.*?)```', PAGE, re.S)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """Where the page's commands run: its config small, its images digits."""
    folder = tmp_path_factory.mktemp('pretraining')
    make_digits(folder / 'data', DigitsSettings(train=10, pool=24, val=20))
    (folder / 'data/pool').rename(folder / 'data/images')
    (folder / 'data/val').rename(folder / 'data/labelled')
    (folder / 'data/images/broken.png').touch()
    cfg = Config.fromfile(ROOT / f'configs/pretrain/{NAME}.py')
    cfg.model.student.arch = ARCH
    cfg.model.teacher = dict(
        model=dict(type='torchvision.models.resnet18'),
        data_preprocessor=cfg.model.teacher.data_preprocessor,
    )
    cfg.model.allow_random_teacher = True
    cfg.model.distill_losses = [
        dict(type='DenseFeatureLoss', pairs=[(2, 'layer2'), (3, 'layer4')]),
        dict(type='GlobalFeatureLoss', pairs=[(3, 'avgpool')]),
    ]
    cfg.train_dataloader.update(batch_size=8, num_workers=0, persistent_workers=False)
    for step in cfg.train_dataloader.dataset.pipeline:
        if step.type == 'RandomResizedCrop':
            step.scale = 32
    cfg.train_cfg.update(max_epochs=1, val_interval=1)
    cfg.param_scheduler = []
    cfg.default_hooks.checkpoint.filename_tmpl = 'epoch_100.pth'  # as after a hundred
    (folder / 'configs/pretrain').mkdir(parents=True)
    dump_config(folder / f'configs/pretrain/{NAME}.py', cfg)
    cv2.imwrite(str(folder / 'photo.jpg'), cv2.imread(str(next(folder.glob('data/*/*/*.png')))))
    return folder


@pytest.fixture
def ran(folder, run_tool, monkeypatch):
    """Run the page's commands up to one of a script, once each."""
    monkeypatch.chdir(folder)

    def until(name):
        for script, *arguments in (command[1:] for command in COMMANDS):
            done = folder / f'{script.replace("/", "-")}.done'
            runs = script.endswith(('train.py', 'publish_model.py', 'features.py'))
            if runs and not done.exists():
                run_tool(script.removeprefix('tools/'), *arguments)
                done.touch()
            if script.endswith(name):
                return
        raise AssertionError(f'{name} is not on the page')

    return until


def test_the_training_is_watched(ran, folder):
    ran('train.py')
    run = folder / 'work_dirs' / NAME
    lines = logged(run)
    assert 'loss_dense_feature.stage2' in lines[0] and 'loss_global_feature.stage3' in lines[0]
    assert {'probe/knn', 'probe/linear'} <= set(lines[-1])
    assert list(run.glob('best_probe_knn*'))
    (log,) = run.glob('*/*.log')
    assert '1 of 25 images are left out' in log.read_text()


def test_the_backbone_is_published(ran, folder):
    ran('publish_model.py')
    (path,) = folder.glob('inrn-m-*.pth')
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert path.name == f'inrn-m-{digest[:8]}.pth'
    state = load_state(path)['state_dict']
    assert all(key.startswith('backbone.') for key in state)
    card = path.with_suffix('.md').read_text()
    for words in (digest, 'resnet18', 'our own images', 'ImageFolders', "prefix='backbone.'"):
        assert words in card
    # as the page's detector reads it
    (snippet,) = (text for text in SNIPPETS if 'init_cfg =' in text)
    names = {}
    exec(snippet, names)
    init = dict(names['model']['backbone']['init_cfg'], checkpoint=str(path))
    net = MODELS.build(dict(type='INRN', arch=ARCH, init_cfg=init))
    net.init_weights()
    assert all(torch.equal(v, state[f'backbone.{k}']) for k, v in net.state_dict().items())


def test_features_are_drawn(ran, folder):
    ran('visualize_features.py')
    picture = cv2.imread(str(folder / 'features.png'))
    assert picture.shape[1] > 500


def test_a_checkpoint_without_a_backbone(tmp_path, run_tool, capsys):
    torch.save(dict(state_dict={'neck.a': torch.ones(1)}), tmp_path / 'a.pth')
    with pytest.raises(SystemExit):
        run_tool('publish_model.py', tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert "no weights below 'backbone.': choose one of neck" in capsys.readouterr().err


@pytest.mark.parametrize(
    ('probe', 'message'),
    [('nowhere', 'nowhere of probe does not exist'), ('7', 'probe is 7: give a folder')],
)
def test_a_probe_that_is_none(folder, run_tool, monkeypatch, capsys, probe, message):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit):
        run_tool('train.py', f'configs/pretrain/{NAME}.py', '--cfg-options', f'probe={probe}')
    assert message in capsys.readouterr().err


def test_the_comparison(tmp_path):
    """Arms differ in what they begin with, and in their epochs."""
    from tools.studies import pretraining_gain as gain

    args = gain.parse_args(['--images', '400', '--epochs', '3', '--pretrain-epochs', '2'])
    weights = tmp_path / 'a.pth'
    cfgs = {arm: gain.training(args, ['apple', 'bear'], 1, arm, weights) for arm in gain.ARMS}
    inits = {arm: cfg.model.backbone.get('init_cfg') for arm, cfg in cfgs.items()}
    assert inits['scratch'] is None and inits['pretrained'] == inits['longer']
    # 2 x 400 images under the teacher cost as much as 1120 with 40 labels
    epochs = {arm: cfg.train_cfg.max_epochs for arm, cfg in cfgs.items()}
    assert epochs == dict(pretrained=3, scratch=31, longer=31)
    sets = [cfg.train_dataloader.dataset for cfg in cfgs.values()]
    assert all(data.indices == list(range(40, 80)) and len(data.indices) == 40 for data in sets)
    rows = [
        dict(
            seed=seed,
            pre={'probe/knn': 40.0, 'probe/linear': 50.0},
            **{arm: {'accuracy/top1': x + seed} for arm, x in zip(gain.ARMS, (60, 50, 55 + seed))},
        )
        for seed in range(3)
    ]
    last = gain.table(rows).splitlines()[-1]
    assert last == (
        '| mean | 61.0 ± 2.5 | 51.0 ± 2.5 | 57.0 ± 5.0 | 10.0 ± 0.0 | 6.0 ± 2.5 | 40.0 ± 0.0 '
        '| 50.0 ± 0.0 |'
    )


def test_what_the_page_names_exists():
    for link in re.findall(r'\]\((?!http|#)([^)#]+)', PAGE):
        assert (ROOT / 'docs' / link).exists(), link
    for script in re.findall(r'(?:bash|python) (tools/\S+)', PAGE):
        assert (ROOT / script).exists(), script
    for config in re.findall(r'configs/\S+\.py', PAGE):
        assert (ROOT / config).exists(), config


def test_the_snippets_are_models():
    names = {}
    for snippet in SNIPPETS:
        exec(snippet, names)
    assert MODELS.build(names['student']).noise
    losses = [MODELS.build(cfg) for cfg in names['model']['distill_losses']]
    assert [isinstance(loss, DistillLoss) for loss in losses] == [True] * 3


def test_a_detector_with_further_images(folder, monkeypatch):
    """The page's pipeline gives what a detector's preprocessor takes."""
    pytest.importorskip('mmdet')
    monkeypatch.chdir(folder)
    names = {}
    (snippet,) = (text for text in SNIPPETS if 'unlabeled_dataloader' in text)
    exec(snippet, names)
    init_default_scope('mmdet')
    loader = Runner.build_dataloader(names['unlabeled_dataloader'])
    preprocessor = MODELS.build(dict(type='DetDataPreprocessor', pad_size_divisor=32))
    data = preprocessor(loader.collate_fn([loader.dataset[0]]), True)
    assert data['inputs'].shape[-2:] == (800, 800)
    assert data['data_samples'][0].img_shape == (800, 800)
