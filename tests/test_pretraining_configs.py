"""The configs of configs/pretrain: they build, and a step under each teacher is finite."""

import importlib.util
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

pytest.importorskip('mmpretrain')
import inrn_mm.classification  # noqa: F401
from inrn_mm.distillation.configs import published_weights

FOLDER = Path(__file__).parents[1] / 'configs' / 'pretrain'
CONFIGS = sorted(FOLDER.glob('*.py'))


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_a_step_of_each(path):
    if 'efficientnet' in path.stem and importlib.util.find_spec('timm') is None:
        pytest.skip('timm is not installed, whose EfficientNet-Lite0 is the teacher')
    cfg = Config.fromfile(path)
    data_preprocessor = deepcopy(cfg.data_preprocessor)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        cfg.model.allow_random_teacher = True
        model = MODELS.build(dict(cfg.model, data_preprocessor=data_preprocessor)).train()
    student, _, rest = path.stem.partition('_from-')
    assert model.student.backbone.out_channels[-1] == dict(s=128, m=512)[student[-1]]
    side = 32 if rest.endswith('cifar100') else 64
    inputs = [torch.randint(0, 256, (3, side, side), dtype=torch.uint8) for _ in range(2)]
    batch = model.data_preprocessor(dict(inputs=inputs), False)
    for teacher in model.teachers.values():
        teacher.allow_random = True
        teacher.checkpoint = None
        teacher.model = {}  # whose weights nobody publishes
    loss, log = model.parse_losses(model(**batch, mode='loss'))
    loss.backward()
    assert torch.isfinite(loss) and len(log) > 2
    # the teacher sees the same pixels by its own normalisation
    pixels = torch.stack(inputs).float()
    own = model.data_preprocessor
    assert (own.mean.flatten() != 0).all()
    for teacher in model.teachers.values():
        (seen, _, _) = teacher.convert(batch['inputs'], None)
        theirs = teacher.inputs
        if not (theirs.flip or teacher.sizes.fixed) and 'lite0' in path.stem:
            rgb = pixels.flip(1) if side == 64 else pixels
            torch.testing.assert_close(seen, rgb / 127.5 - 1, atol=1e-4, rtol=0)


def test_the_weights_of_dinov2_are_found():
    cfg = Config.fromfile(FOLDER / 'inrn-m_from-dinov2-s.py')
    assert 'dinov2' in published_weights(cfg.model.teacher)
