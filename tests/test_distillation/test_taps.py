import pytest
import torch
from torch import nn
from toys import ToyModel

from inrn_mm.distillation.recorder import Recorder
from inrn_mm.distillation.taps import Tap


@pytest.fixture
def model():
    return ToyModel().eval()


@pytest.mark.parametrize(
    'layer, expected',
    [
        (1, Tap('backbone', index=1)),
        (-1, Tap('backbone', index=2)),
        ('backbone.stages.1', Tap('backbone.stages.1')),
        ('backbone[-2]', Tap('backbone', index=-2)),
        ('fc:input', Tap('fc', 'input')),
        ('fc:input[0]@-1', Tap('fc', 'input', 0, -1)),
    ],
)
def test_parse(model, layer, expected):
    tap = Tap.parse(layer, model)
    assert tap == expected
    assert isinstance(layer, int) or str(tap) == layer


def test_stages_of_a_resnet_are_its_modules():
    """So that a teacher's forward can end at a stage."""
    resnet = pytest.importorskip('mmdet.models').ResNet
    model = nn.Module()
    model.backbone = resnet(18, out_indices=(1, 3))
    assert Tap.parse(2, model) == Tap('backbone.layer3')
    assert Tap.parse(-1, model) == Tap('backbone.layer4')


def test_records_inputs_outputs_and_items(model):
    x = torch.rand(2, 3, 32, 32)
    taps = [Tap.parse(t, model) for t in (0, 'fc:input', 'fc')]
    with Recorder(model, taps) as recorder:
        model(x)
    stage0, fc_in, fc_out = (recorder.features[t][0] for t in taps)
    torch.testing.assert_close(stage0, model.backbone(x)[0])
    torch.testing.assert_close(model.fc(fc_in), fc_out)
    # nothing stays on the modules
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_stops_at_the_last_tap(model):
    tap = Tap.parse('backbone.stages.1', model)
    model.neck.forward = None  # would fail if called
    with Recorder(model, [tap], num_calls={tap: 1}) as recorder:
        model(torch.rand(2, 3, 32, 32))
    assert len(recorder.features[tap]) == 1


def test_sees_and_repairs_an_in_place_overwrite(model):
    """The norm's output is overwritten by the ReLU behind it."""
    x = torch.rand(2, 3, 32, 32)
    tap = Tap.parse('backbone.stages.0.1', model)
    with Recorder(model, [tap]) as recorder:
        model(x)
    assert recorder.overwritten() == [tap]
    assert recorder.features[tap][0].min() >= 0
    expected = model(x)
    for layer in ('backbone.stages.0.1', 'backbone.stages.0.2:input'):
        tap = Tap.parse(layer, model)
        with Recorder(model, [tap], clone=[tap]) as recorder:
            out = model(x)
        assert recorder.overwritten() == []
        assert recorder.features[tap][0].min() < 0
        torch.testing.assert_close(out, expected)


def test_one_of_several_calls():
    """The pre-activation sum of a residual block, whose ReLU runs thrice."""
    resnet = pytest.importorskip('mmdet.models').ResNet
    model = nn.Module()
    model.backbone = resnet(50, base_channels=4)
    model.backbone.eval()
    model.forward = model.backbone.forward
    block = model.backbone.layer1[-1]
    taps = [Tap.parse(f'backbone.layer1.2.{x}', model) for x in ('relu:input@-1', 'relu', 'bn3')]
    with Recorder(model, taps, clone=taps) as recorder:
        model(torch.rand(1, 3, 32, 32))
    before, after, bn3 = (recorder.features[t] for t in taps)
    assert recorder.counts[taps[0]] == 3 and len(before) == 1
    assert before[0].shape[1] == block.bn3.num_features
    torch.testing.assert_close(before[0].relu(), after[-1])
    # the teacher's forward ends at that call, not at the first
    with Recorder(model, taps[:1], num_calls={taps[0]: 3}) as recorder:
        model(torch.rand(1, 3, 32, 32))
    assert recorder.features[taps[0]][0].shape[1] == block.bn3.num_features
    with (
        pytest.raises(ValueError, match='is called 3 times'),
        Recorder(model, [Tap('backbone.layer1.2.relu', call=3)]),
    ):
        model(torch.rand(1, 3, 32, 32))


def test_other_errors_pass(model):
    with pytest.raises(RuntimeError), Recorder(model, [Tap('fc')]):
        model(torch.rand(2, 5, 32, 32))


@pytest.mark.parametrize(
    'layer, message',
    [
        (
            'backbone.stage.1',
            r"no layer 'backbone.stage.1'; the nearest names "
            r'are .*backbone.stages.1',
        ),
        (3, r'ToyBackbone gives no stage 3; it gives the stages \[0, 1, 2\]'),
        (-4, 'gives no stage -4'),
        ('fc input', "Cannot read the layer 'fc input'"),
    ],
)
def test_unknown_layers(model, layer, message):
    with pytest.raises(ValueError, match=message):
        Tap.parse(layer, model)


def test_stage_without_a_backbone():
    with pytest.raises(ValueError, match='has no backbone'):
        Tap.parse(0, nn.Linear(1, 1))


@pytest.mark.parametrize(
    'layer, message',
    [
        ('backbone', r"'backbone' gives 3 items; pick one, .*'backbone\[0\]'"),
        ('backbone[3]', "'backbone' gives 3 items"),
        ('fc:input[1]', r"'fc:input\[1\]' does not exist: 'fc' is called with 1 "),
    ],
)
def test_not_one_tensor(model, layer, message):
    with pytest.raises(ValueError, match=message), Recorder(model, [Tap.parse(layer, model)]):
        model(torch.rand(2, 3, 32, 32))
