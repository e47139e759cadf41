import math

import pytest
import torch

from inrn_mm.layers import GridEncoding, PositionalEncoding, TimeGrid


def test_frequencies_are_powers_of_the_base():
    encode = PositionalEncoding(base=2, levels=3, in_channels=2)
    x = torch.tensor([[0.25, -0.5]])
    out = encode(x)
    angles = [2**i * math.pi * value for value in (0.25, -0.5) for i in range(3)]
    expected = [math.sin(a) for a in angles] + [math.cos(a) for a in angles]
    torch.testing.assert_close(out, torch.tensor([expected]))
    assert out.shape[-1] == encode.out_channels
    assert not encode.state_dict()


@pytest.mark.parametrize(
    'base, samples, levels', [(2, 8, 3), (2, 9, 3), (2, 7, 2), (5, 250, 4), (2, 1, 1)]
)
def test_levels_that_samples_tell_apart(base, samples, levels):
    assert PositionalEncoding.num_levels(base, samples) == levels


def test_default_embedding_is_nervs():
    assert PositionalEncoding().out_channels == 80


def test_grids_are_linear_between_their_points():
    encode = GridEncoding([(2, 4), (1, 2)], channels=[1, 3])
    with torch.no_grad():
        encode.grids[0].copy_(torch.arange(8.0).view(1, 1, 2, 4))
    # x first; points are in the middles of cells
    points = torch.tensor([[[-0.75, -0.5], [0.25, -0.5], [0.0, 0.0]]])
    out = encode(points)
    assert out.shape == (1, 3, encode.out_channels) == (1, 3, 4)
    torch.testing.assert_close(out[0, :, 0], torch.tensor([0.0, 2.0, 3.5]))


def test_grids_of_a_video():
    assert GridEncoding([(2, 3, 4)])(torch.rand(1, 5, 6, 3)).shape == (1, 5, 6, 4)
    with pytest.raises(ValueError, match='points along y and x'):
        GridEncoding([(2, 3), (2, 3, 4)])


def test_time_grid_is_linear_in_time():
    maps = TimeGrid(3, 2, (4, 5))
    times = torch.tensor([0.0, 0.5, 1.0, 0.25])
    out = maps(times)
    torch.testing.assert_close(out[:3], maps.maps.detach())
    torch.testing.assert_close(out[3], maps.maps[:2].mean(0))
    # one map is the same at all times
    torch.testing.assert_close(TimeGrid(1, 2, (4, 5))(times).std(0), torch.zeros(2, 4, 5))
