from collections import Counter

import pytest
import torch
from torch import nn

from inrn_mm.layers import INReBlock, LayerNorm2d


@pytest.mark.parametrize('compression', [0.5, 1, 2, 4])
@pytest.mark.parametrize('kernel_size', [3, 5])
def test_weights_are_those_of_the_formula(compression, kernel_size):
    """C^2 (2/r + k^2/r^2) convolution weights, as Table 2 needs."""
    block = INReBlock(32, compression=compression, kernel_size=kernel_size)
    convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    weights = sum(conv.weight.numel() for conv in convs)
    assert weights == 32**2 * (2 / compression + kernel_size**2 / compression**2)
    assert all(conv.bias is None for conv in convs)


@pytest.mark.parametrize(
    'order, kernels',
    [
        ('mlp-mlp', [1, 1]),
        ('conv-mlp-mlp', [3, 1, 1]),
        ('mlp-mlp-conv', [1, 1, 3]),
        ('mlp-conv-mlp', [1, 3, 1]),
    ],
)
def test_orders_of_table_1(order, kernels):
    block = INReBlock(8, order=order)
    convs = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    assert [conv.kernel_size[0] for conv in convs] == kernels
    # compresses in the first layer, expands in the last
    assert [conv.out_channels for conv in convs] == [4] * (len(kernels) - 1) + [8]
    assert block(torch.rand(2, 8, 5, 6)).shape == (2, 8, 5, 6)


def test_residual_adds_the_input_before_the_activation():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 4, 4)
    plain = INReBlock(8, residual=False, act_cfg=None).eval()
    residual = INReBlock(8, residual=True, act_cfg=None).eval()
    residual.load_state_dict(plain.state_dict())
    torch.testing.assert_close(residual(x), plain(x) + x)
    gelu = INReBlock(8, residual=True, norm_cfg=dict(type='BN')).eval()
    nn.init.zeros_(gelu.layers[-1].bn.weight)
    torch.testing.assert_close(gelu(x), nn.functional.gelu(x))


def test_activation_and_norm_are_the_ones_asked_for():
    block = INReBlock(8, norm_cfg=dict(type='LN2d'), act_cfg=dict(type='ReLU'))
    kinds = [type(m) for m in block.modules()]
    assert kinds.count(LayerNorm2d) == 3
    assert kinds.count(nn.ReLU) == 3 and nn.GELU not in kinds


def test_checkpointing_gives_the_same_output_and_gradient():
    torch.manual_seed(0)
    plain = INReBlock(8)
    saving = INReBlock(8, with_cp=True)
    saving.load_state_dict(plain.state_dict())
    calls = Counter()
    for block in (plain, saving):
        block.layers.register_forward_hook(lambda *_, block=block: calls.update([block]))
    x = torch.randn(2, 8, 4, 4, requires_grad=True)
    grads = []
    for block in (plain, saving):
        out = block(x)
        grads.append((out, *torch.autograd.grad(out.square().sum(), x)))
    torch.testing.assert_close(grads[0], grads[1])
    assert calls == {plain: 1, saving: 2}
    # the statistics of batch norms saw the batch once
    torch.testing.assert_close(plain.state_dict(), saving.state_dict())
    saving(x)
    assert saving.layers[0].norm.num_batches_tracked == 2


def test_drop_path_drops_the_branch_in_training_only():
    torch.manual_seed(0)
    block = INReBlock(8, drop_path_rate=0.999, act_cfg=None)
    x = torch.randn(4, 8, 4, 4)
    torch.testing.assert_close(block.train()(x), x)
    assert not torch.allclose(block.eval()(x), x)


def test_layer_norm_normalises_the_channels_of_each_position():
    x = torch.randn(2, 6, 3, 4)
    out = LayerNorm2d(6)(x)
    torch.testing.assert_close(out.mean(1), torch.zeros(2, 3, 4))
    torch.testing.assert_close(out.var(1, unbiased=False), torch.ones(2, 3, 4), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(order='mlp'), "Unknown block order 'mlp'"),
        (dict(order='mlp-pool'), "Unknown block order 'mlp-pool'"),
        (dict(kernel_size=2), 'kernel_size must be odd'),
        (dict(compression=64), 'leaves no channel of 8'),
        (dict(compression=-1), 'compression must be a finite number above 0, got -1'),
        (dict(compression=float('inf')), 'compression must be'),
        (dict(compression=1e-160), 'inner width that compression=1e-160 gives must be .* at most'),
        (dict(compression=1e-7), 'inner width that compression=1e-07 gives must be .* at most'),
        (dict(compression=5e-324), 'inner width that compression=5e-324 gives must be .* at most'),
        (dict(hidden_channels=0), 'hidden_channels must be .* at least 1, got 0'),
        (dict(out_channels=0), 'out_channels must be .* got 0'),
        (dict(kernel_size=-3), 'kernel_size must be .* got -3'),
        (dict(drop_path_rate=1), 'drop_path_rate must be'),
        (dict(drop_path_rate=float('nan')), 'drop_path_rate must be'),
        (dict(order=3), "Unknown block order '3'"),
        (dict(out_channels=16), 'set residual=False'),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        INReBlock(8, **kwargs)
