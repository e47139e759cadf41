"""Tokens, channels-last tensors and what is no map, told apart."""

import pytest
import torch
from mmengine.model import ImgDataPreprocessor
from mmengine.registry import MODELS
from torch import nn
from toys import MEAN, STD, ToyModel, toy_batch, toy_config

from inrn_mm.distillation.layouts import (
    Layout,
    Places,
    count_extra,
    find_layout,
    follows,
    places_in_call,
)
from inrn_mm.distillation.taps import Tap, TapError

SIZE = (64, 64)
NET = nn.ModuleDict(dict(x=nn.Identity()))


class Transformer(ToyModel):
    """A ViT as far as its tokens go; the toy's classifier beside it.

    Args:
        patch (int): Side of the patches.
        extra (int): Class and register tokens in front.
        levels (int): Levels of a pyramid whose tokens are joined.
        told (bool): Whether the blocks are given the shapes of the levels.
        fixed (int, optional): The only side of images.
    """

    def __init__(self, patch=8, extra=0, levels=1, told=False, fixed=None, dims=12, **kwargs):
        super().__init__(data_preprocessor=ImgDataPreprocessor(mean=MEAN, std=STD), **kwargs)
        self.embed = nn.ModuleList(
            nn.Conv2d(3, dims, patch * 2**i, patch * 2**i) for i in range(levels)
        )
        self.reg_token = nn.Parameter(torch.zeros(1, extra, dims)) if extra else None
        self.queries = nn.Parameter(torch.randn(1, 16, dims))
        self.block, self.decoder, self.last = Block(dims), Block(dims), Block(dims)
        self.told = told
        if fixed:
            self.img_size = fixed

    def forward(self, inputs, data_samples=None, mode='tensor'):
        if hasattr(self, 'img_size') and inputs.shape[-1] != self.img_size:
            raise RuntimeError(f'only {self.img_size}')
        maps = [embed(inputs) for embed in self.embed]
        tokens = torch.cat([x.flatten(2).transpose(1, 2) for x in maps], 1)
        if self.reg_token is not None:
            tokens = torch.cat([self.reg_token.expand(len(tokens), -1, -1), tokens], 1)
        shapes = torch.tensor([x.shape[-2:] for x in maps])
        tokens = self.block(tokens, spatial_shapes=shapes) if self.told else self.block(tokens)
        self.last(maps[0].permute(0, 2, 3, 1))
        self.decoder(self.queries.expand(len(tokens), -1, -1) + tokens.mean())
        losses = super().forward(inputs, data_samples, mode)
        return {k: v + 0 * tokens.sum() for k, v in losses.items()} if mode == 'loss' else losses


class Block(nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.fc = nn.Linear(dims, dims)

    def forward(self, x, spatial_shapes=None):
        return self.fc(x)


MODELS.register_module(module=Transformer, force=True)


def distilled(student, teacher, pairs, type='StageMSELoss'):
    cfg = toy_config([dict(type=type, pairs=pairs)])
    cfg.update(
        student=dict(type='Transformer', **student) if student is not None else cfg['student'],
        teacher=dict(type='Transformer', **teacher),
    )
    return MODELS.build(cfg).train()


def loss_of(model, size=(32, 32)):
    batch = toy_batch(model, 2)
    batch['inputs'] = torch.rand(2, 3, *size)
    losses = model(**batch, mode='loss')
    total = sum(v for k, v in losses.items() if 'loss' in k)
    total.backward()
    (value,) = (v for k, v in losses.items() if k.startswith('loss_') and k != 'loss_cls')
    return value, batch['inputs']


@pytest.mark.parametrize('extra', [0, 1, 2, 5, 16])
@pytest.mark.parametrize('size', [(32, 32), (40, 64), (75, 101), (33, 130)])
def test_patches_as_a_map(extra, size):
    """Exactly the model's own grid, at any size of the images."""
    model = distilled(None, dict(extra=extra), [(2, 'block')])
    value, inputs = loss_of(model, size)
    net = model.teacher.net
    with torch.no_grad():
        maps = model.teacher.net.block.fc(
            net.embed[0](model.teacher.inputs(inputs)).permute(0, 2, 3, 1)
        ).permute(0, 3, 1, 2)
        student = model.student.train()
        mean = model.distill_losses[0].align[0](student.backbone(inputs)[2], maps)
    torch.testing.assert_close(value, (mean - maps).square().mean(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('dims', [12, 20])
@pytest.mark.parametrize(
    'kwargs', [dict(), dict(extra=1), dict(levels=3, told=True)], ids=['plain', 'class', 'levels']
)
def test_tokens_under_tokens(dims, kwargs):
    """Of equal or other width, of one or several levels."""
    model = distilled(kwargs, dict(kwargs, dims=dims), [('block', 'block')])
    assert loss_of(model, (75, 101))[0] > 0
    assert model.embed[0].weight.grad.abs().sum() > 0


def test_tokens_under_tokens_of_another_grid():
    model = distilled(dict(patch=8, extra=1), dict(patch=16), [('block', 'block')], 'PearsonLoss')
    assert loss_of(model, (64, 96))[0] > 0


@pytest.mark.parametrize('level', [0, 1, -1])
@pytest.mark.parametrize('size', [(32, 32), (75, 101)])
def test_levels_are_split_by_the_models_own_shapes(level, size):
    model = distilled(None, dict(levels=3, told=True), [(2, f'block[{level}]')])
    assert loss_of(model, size)[0] > 0
    ((_, tap),) = model.bound[0].taps
    ((_, layout),) = model.bound[0]._layouts
    features = model.teacher(torch.rand(2, 3, *size), toy_batch(model, 2)['data_samples'], [tap])
    grids = [(size[0] // s, size[1] // s) for s in (8, 16, 32)]
    parts = features[tap][0].split([h * w for h, w in grids], 1)
    (found,) = features.maps(tap, layout)
    assert found.shape == (2, 12, *grids[level])
    torch.testing.assert_close(found.flatten(2).transpose(1, 2), parts[level])


def test_levels_of_images_of_every_size():
    model = distilled(None, dict(levels=2, told=True, extra=2), [(2, 'block[1]')])
    ((_, tap),) = model.bound[0].taps
    ((_, layout),) = model.bound[0]._layouts
    samples = toy_batch(model, 1)['data_samples']
    for height in range(16, 72, 5):
        for width in range(16, 72, 3):
            features = model.teacher(torch.rand(1, 3, height, width), samples, [tap])
            (level,) = features.maps(tap, layout)
            assert level.shape == (1, 12, height // 16, width // 16)
            last = features[tap][0][:, -(height // 16) * (width // 16) :]
            assert torch.equal(level.flatten(2).transpose(1, 2), last)


@pytest.mark.parametrize(
    'student, teacher, pairs, message',
    [
        # 64 + 16 tokens, which extra tokens could be guessed to explain
        (None, dict(levels=2), [(2, 'block')], 'its 80 items are neither the places of a map'),
        (None, dict(levels=2, extra=3), [(2, 'block')], 'its 83 items are neither'),
        (None, dict(levels=3, told=True), [(2, 'block')], "'block' 3 times .* a level"),
        (None, dict(levels=2, told=True), [(2, 'block[2]')], 'there are 2 levels'),
        (dict(), dict(), [('decoder', 'decoder')], 'does not follow the size of the image'),
        (dict(levels=2, told=True), dict(told=True), [('block', 'block')], 'differently often'),
    ],
)
def test_said_at_build(student, teacher, pairs, message):
    with pytest.raises(ValueError, match=message):
        distilled(student, teacher, pairs)


def test_channels_last():
    model = distilled(None, dict(), [(2, 'last')])
    assert model.bound[0]._layouts[0][1] == Layout('channels last')
    assert model.distill_losses[0].align[0].conv.out_channels == 12
    assert loss_of(model, (40, 64))[0] > 0


def test_tokens_of_a_fixed_size_network():
    """The second size, which would tell, is none that it takes."""
    model = distilled(None, dict(fixed=48, extra=1), [(2, 'block')])
    assert model.teacher.sizes.fixed == (48, 48)
    assert loss_of(model, (40, 64))[0] > 0


@pytest.mark.parametrize(
    'shape, kind',
    [
        ((1, 8, 16, 16), 'as is'),
        ((1, 256, 1, 1), 'as is'),
        ((1, 16, 16, 8), 'channels last'),
        ((1, 7), 'as is'),
        ((1, 2, 2, 2), 'as is'),
    ],
)
def test_layouts_of_one_image(shape, kind):
    assert find_layout(Tap('x'), torch.zeros(shape), [], SIZE, NET).kind == kind


@pytest.mark.parametrize('shape', [(6, 1, 300, 80), (1, 1, 300, 80), (49, 16, 4), (1, 300, 80)])
def test_what_is_no_map(shape):
    """Logits of all layers and queries, windows, queries."""
    with pytest.raises(TapError, match='is no map of an image of 64 x 64'):
        find_layout(Tap('x'), torch.zeros(shape), [], SIZE, NET)


def test_windows_follow_the_image_and_layers_do_not():
    layout = find_layout(Tap('x'), torch.zeros(6, 1, 16, 16), [], SIZE, NET)
    assert layout == Layout(unsure=True)
    before, windows = torch.zeros(4, 2, 8, 8), torch.zeros(16, 2, 8, 8)
    assert follows(layout, before, windows, [], (128, 128))
    assert not follows(layout, before, before, [], (128, 128))


def test_regions_are_no_images():
    shape = (100, 8, 7, 7)
    layout = find_layout(Tap('x'), torch.zeros(shape), [], SIZE, NET, own_images=False)
    assert layout == Layout()


def test_shapes_in_a_call():
    shapes = torch.tensor([[8, 8], [4, 4]])
    found = list(places_in_call([shapes, (4, 6), [(2, 2), (1, 1)], (torch.zeros(1), (3, 5)), 7]))
    assert [x.levels for x in found] == [[(8, 8), (4, 4)], [(4, 6)], [(2, 2), (1, 1)], [(3, 5)]]
    assert found[0].number == 80 and found[0].source == ''
    # indices, floats and flags are no shapes
    assert not list(places_in_call([torch.rand(3, 2), (True, True), (0.5, 2), shapes.byte()]))


def test_extra_tokens_are_counted():
    model = ToyModel()
    assert count_extra(model, 'backbone.stages.0') == 0
    model.backbone.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
    model.backbone.register_tokens = nn.Parameter(torch.zeros(1, 4, 4))
    model.backbone.mask_token = nn.Parameter(torch.zeros(1, 1, 4))
    assert count_extra(model, 'backbone.stages.0') == 5
    # what says it itself is believed
    model.backbone.stages[0].num_prefix_tokens = 2
    assert count_extra(model, 'backbone.stages.0.1') == 2


def test_tokens_that_do_not_fit_are_said():
    layout = Layout('tokens', patch=16)
    with pytest.raises(TapError, match="21 tokens of the layer 'x' are no grid of an image of 75"):
        layout.maps(torch.zeros(1, 21, 4), [Places([(4, 6)])], (75, 101), 'x')
    (x,) = layout.maps(torch.zeros(1, 24, 4), [], (75, 101), 'x')  # cut off
    assert x.shape == (1, 4, 4, 6)
    (x,) = layout.maps(torch.zeros(1, 35, 4), [], (75, 101), 'x')  # padded
    assert x.shape == (1, 4, 5, 7)
