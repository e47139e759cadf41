"""What users of mmpretrain do with a classifier of INRN, plain or distilled.

One tiny network on twenty real digits, trained by tools/train.py.
"""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import MODELS, init_default_scope
from tiny_coco import tiny_config
from tool_runs import ROOT, dump_config

from inrn_mm.engine import load_state
from tools.demo.digits import DigitsSettings, make_digits

pytest.importorskip('mmpretrain')
ARCH = dict(widths=[8, 16, 16], depths=[1, 1, 1], stem='conv3')


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """With the digits in data/, plain.py and distilled.py."""
    folder = tmp_path_factory.mktemp('digits')
    make_digits(folder / 'data', DigitsSettings(train=20, pool=20, val=20))
    for name, config in (('plain', 'inrn-s'), ('distilled', 'inrn-s_kd')):
        os.environ['INRN_DIGITS_ROOT'] = str(folder / 'data')
        cfg = Config.fromfile(ROOT / f'configs/demo/{config}_digits_demo.py')
        del os.environ['INRN_DIGITS_ROOT']
        student = cfg.model.get('student', cfg.model)
        student.backbone.arch = ARCH
        student.head.in_channels = 16
        if name == 'distilled':
            cfg.model.update(
                teacher=student.to_dict(), teacher_checkpoint=None, allow_random_teacher=True
            )
        cfg.train_cfg.max_epochs = 1
        for loader in ('train', 'val', 'test'):
            cfg[f'{loader}_dataloader'].update(num_workers=0, persistent_workers=False)
        dump_config(folder / f'{name}.py', cfg)
    return folder


@pytest.fixture(params=['plain', 'distilled'])
def trained(request, folder, run_tool):
    """Config and checkpoint, each trained once."""
    config, run = folder / f'{request.param}.py', folder / request.param
    if not run.exists():
        run_tool('train.py', config, '--work-dir', run)
    return str(config), str(run / 'epoch_1.pth')


def test_mixed_precision(folder, tmp_path, run_tool):
    """Without a GPU, too; the config of a run says what it was."""
    run_tool('train.py', folder / 'distilled.py', '--work-dir', tmp_path, '--amp')
    kind = Config.fromfile(tmp_path / 'distilled.py').optim_wrapper.type
    assert kind == ('AmpOptimWrapper' if torch.cuda.is_available() else 'CPUAmpOptimWrapper')
    state = load_state(tmp_path / 'epoch_1.pth')['state_dict']
    floats = [v for v in state.values() if v.is_floating_point()]
    assert all(v.dtype == torch.float32 for v in floats)
    assert all(v.isfinite().all() for v in floats)


def image_of(folder):
    return str(sorted((folder / 'data/val').glob('*/*.png'))[0])


@pytest.mark.smoke
def test_inferencer_and_get_model(trained, folder, tmp_path):
    from mmpretrain import ImageClassificationInferencer, get_model

    config, checkpoint = trained
    image = image_of(folder)
    infer = ImageClassificationInferencer(config, pretrained=checkpoint, device='cpu')
    (result,) = infer(image, show_dir=str(tmp_path))
    assert result['pred_scores'].sum() == pytest.approx(1, abs=1e-4)
    assert cv2.imread(str(next(tmp_path.iterdir()))) is not None

    model = get_model(config, pretrained=checkpoint, device='cpu')
    state = load_state(checkpoint)['state_dict']
    assert torch.equal(model.head.fc.weight, state['head.fc.weight'])
    gray = cv2.imread(image)
    inputs = torch.from_numpy(gray).permute(2, 0, 1)[None]
    batch = model.data_preprocessor(dict(inputs=inputs))
    with torch.no_grad():
        score = model(batch['inputs'], mode='predict')[0].pred_score
    assert np.allclose(score, result['pred_scores'], atol=1e-5)


def test_features(trained, folder):
    from mmpretrain import FeatureExtractor

    config, checkpoint = trained
    extract = FeatureExtractor(config, pretrained=checkpoint, device='cpu')
    (feats,) = extract(image_of(folder), stage='backbone')
    assert [tuple(x.shape) for x in feats] == [(16, 4, 4)]
    (feats,) = extract(image_of(folder), stage='neck')
    assert [tuple(x.shape) for x in feats] == [(16,)]


def test_features_of_all_stages(folder):
    from mmpretrain import get_model

    model = get_model(str(folder / 'plain.py'), backbone=dict(out_indices=(0, 1, 2)))
    feats = model.extract_feat(torch.rand(1, 3, 16, 16), stage='backbone')
    assert [tuple(x.shape) for x in feats] == [(1, 8, 16, 16), (1, 16, 8, 8), (1, 16, 4, 4)]


def test_grad_cam(trained, folder, run_tool, tmp_path, monkeypatch):
    pytest.importorskip('pytorch_grad_cam')
    from pytorch_grad_cam.base_cam import BaseCAM

    layers = []
    original = BaseCAM.__init__

    def init(self, model, target_layers, *args, **kwargs):
        layers.append(
            [name for name, module in model.named_modules() if module is target_layers[0]]
        )
        original(self, model, target_layers, *args, **kwargs)

    monkeypatch.setattr(BaseCAM, '__init__', init)
    config, checkpoint = trained
    out = tmp_path / 'cam.png'
    run_tool(
        'visualize_classifier.py', 'cam', image_of(folder), config, checkpoint, '--save-path', out
    )
    assert layers == [['backbone.stages.2']]
    assert cv2.imread(str(out)).shape == (224, 224, 3)


def test_tsne(trained, folder, run_tool, tmp_path):
    config, checkpoint = trained
    run_tool(
        'visualize_classifier.py',
        'tsne',
        config,
        '--checkpoint',
        checkpoint,
        '--work-dir',
        tmp_path,
        '--n-iter',
        '250',
        '--perplexity',
        '5',
        '--device',
        'cpu',
    )
    (picture,) = tmp_path.glob('tsne_*/feat_2.png')
    assert cv2.imread(str(picture)) is not None
    assert np.load(picture.with_suffix('.npy')).shape == (20, 16)


def test_backbone_of_a_detector_begins_as_the_classifier(trained, tiny_coco):
    """The documented line, plain and under the distiller."""
    pytest.importorskip('mmdet')
    _, checkpoint = trained
    init_default_scope('mmdet')
    detector = ConfigDict(tiny_config(tiny_coco)['model'])
    detector['backbone'] = dict(
        type='INRN',
        arch=ARCH,
        init_cfg=dict(type='Pretrained', checkpoint=checkpoint, prefix='backbone.'),
    )
    detector['neck']['in_channels'] = ARCH['widths']
    state = load_state(checkpoint)['state_dict']
    weights = {key: value for key, value in state.items() if key.startswith('backbone.')}
    assert len(weights) > 20
    wrapped = dict(
        type='KnowledgeDistiller',
        student=detector,
        teacher=detector,
        allow_random_teacher=True,
        distill_losses=[dict(type='StageMSELoss', pairs=[(2, 2)])],
    )
    for cfg in (detector, wrapped):
        model = MODELS.build(cfg)
        model.init_weights()
        own = model.state_dict()
        for key, value in weights.items():
            assert torch.equal(own[key], value), key


WITHOUT = """
import sys

class Refuse:
    def find_spec(self, name, *_):
        if name.split('.')[0] == sys.argv[1]:
            raise ImportError(f'{name} was imported')

sys.meta_path.insert(0, Refuse())
sys.argv = sys.argv[2:]
sys.path.insert(0, 'tools')
import runpy
runpy.run_path('tools/train.py', run_name='__main__')
"""


def test_one_package_needs_not_the_other(folder, tiny_coco, environment, tmp_path):
    """Distilled trainings to their ends: a classifier's where mmdet, a
    detector's where mmpretrain cannot be imported."""
    cfg = tiny_config(tiny_coco, epochs=1)
    cfg['model'] = dict(
        type='KnowledgeDistiller',
        student=cfg['model'],
        teacher=cfg['model'],
        allow_random_teacher=True,
        distill_losses=[dict(type='StageMSELoss', pairs=[(3, 3)])],
    )
    detector = dump_config(tmp_path / 'detector.py', cfg)
    runs = {
        forbidden: subprocess.Popen(
            [
                sys.executable,
                '-c',
                WITHOUT,
                forbidden,
                'tools/train.py',
                config,
                '--work-dir',
                tmp_path / forbidden,
            ],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for forbidden, config in (('mmdet', folder / 'distilled.py'), ('mmpretrain', detector))
    }
    for forbidden, process in runs.items():
        error = process.communicate(timeout=300)[1]
        assert process.returncode == 0, error[-2000:]
        assert (tmp_path / forbidden / 'epoch_1.pth').is_file()
