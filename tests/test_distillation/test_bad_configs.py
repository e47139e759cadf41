"""What is said of losses and files that cannot be used."""

import pytest
from mmengine.registry import MODELS
from toys import toy_config


def build(**kwargs):
    return MODELS.build(toy_config(**kwargs))


@pytest.mark.parametrize(
    'losses, message',
    [
        (
            [dict(type='StageMSELoss', pairs=[('backbone.stage.0', 0)])],
            "no layer 'backbone.stage.0'; the nearest names",
        ),
        ([dict(type='StageMSELoss', pairs=[(5, 0)])], 'no stage 5'),
        (
            [dict(type='StageMSELoss', pairs=[(0, 1, 2)])],
            r'pairs must hold \(student layer, teacher layer\)',
        ),
        ([dict(type='StageMSELoss', pairs=[])], 'at least one pair'),
        (
            [dict(type='StageMSELoss', pairs=[(0, 0), (1, 1)], weight=[1.0])],
            '2 pairs of layers but 1 weights',
        ),
        (
            [dict(type='StageMSELoss', pairs=[(0, 'fc')])],
            r'student features of shape \(1, 4, \d+, \d+\) with teacher features of '
            r'shape \(1, 3\)',
        ),
        ([dict(type='StageMSELoss', pairs=[(0, 0)])] * 2, 'give one of them another `name`'),
    ],
)
def test_bad_losses(losses, message):
    with pytest.raises(ValueError, match=message):
        build(losses=losses)


def test_unknown_config_file():
    cfg = toy_config()
    cfg['teacher'] = 'configs/nothing.py'
    with pytest.raises(FileNotFoundError, match='configs/nothing.py'):
        MODELS.build(cfg)


def test_model_from_a_config_file(tmp_path):
    path = tmp_path / 'student.py'
    path.write_text(
        "model = dict(type='ToyModel', widths=(5, 6, 7))\n"
        "data_preprocessor = dict(type='ImgDataPreprocessor', "
        'mean=[1., 2., 3.], std=[4., 5., 6.])\n'
    )
    cfg = toy_config()
    cfg['student'] = str(path)
    model = MODELS.build(cfg)
    assert model.backbone.stages[0][0].out_channels == 5
    assert model.data_preprocessor.mean.flatten().tolist() == [1.0, 2.0, 3.0]
