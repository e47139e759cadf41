import pytest
import torch

from inrn_mm.fitting import FINER, SIREN, FourierMLP, HNeRV, NeRV, SingleStageINRN
from inrn_mm.fitting.networks.upsampling import choose_grid
from inrn_mm.layers import INReBlock

BUNNY = (132, 720, 1280, 3)


@pytest.mark.parametrize(
    'net, args, parameters',
    [
        (SingleStageINRN, dict(arch='mlp'), 3_540_491),
        (SingleStageINRN, dict(arch='front'), 4_359_691),
        (SingleStageINRN, dict(arch='post'), 15_339_531),
        (SingleStageINRN, dict(arch='interleaved'), 12_979_723),
        (SingleStageINRN, dict(arch='s', compression=1), 2_509_731),
        (SingleStageINRN, dict(arch='s', compression=0.5), 2_866_467),
        (NeRV, dict(arch='s'), 3_201_905),
        (NeRV, dict(arch='m'), 6_282_001),
        (NeRV, dict(arch='l'), 12_524_563),
    ],
)
def test_sizes_are_the_papers(net, args, parameters):
    with torch.device('meta'):
        net = net(BUNNY, **args)
    assert net.num_parameters == parameters
    assert net(torch.empty(1, device='meta')).shape == (1, 3, 720, 1280)


def test_inner_width_of_the_archs():
    net = SingleStageINRN((2, 16, 16, 3), arch='interleaved', hidden=8)
    inner = [m for m in net.modules() if isinstance(m, INReBlock)]
    assert [b.layers[0].out_channels for b in inner] == [8] * 5


def test_time_grids_have_a_map_for_every_so_many_frames():
    net = SingleStageINRN(
        (10, 16, 16, 3),
        arch=dict(widths=[4] * 5),
        levels=0,
        time_grids=[dict(stage=0, every=4, channels=2)],
    )
    assert len(net.injections[0][0].latents.maps) == 4


def test_hnerv_counts_decoder_and_embeddings():
    with torch.device('meta'):
        net = HNeRV((132, 640, 1280, 3), width=68)
    assert net.embeddings.shape == (132, 16, 2, 4)
    assert round(net.num_parameters / 1e6, 1) == 1.5
    assert not any('encoder' in name for name in net.decoder_state())


@pytest.mark.parametrize(
    'size, grid, strides',
    [
        ((720, 1280), (9, 16), (5, 2, 2, 2, 2)),
        ((720, 1080), (10, 15), (3, 3, 2, 2, 2)),
        ((1080, 1920), (9, 16), (5, 3, 2, 2, 2)),
    ],
)
def test_grid_and_strides_come_from_the_size(size, grid, strides):
    assert choose_grid(size) == (grid, strides)


@pytest.mark.parametrize('size', [(37, 53), (5, 8), (90, 160)])
@pytest.mark.parametrize(
    'net',
    [
        dict(arch=dict(widths=[4] * 5, hidden=8, grid_channels=2)),
        dict(arch=dict(widths=[4] * 5, blocks=1)),
        dict(
            arch=dict(widths=[4] * 5),
            levels=0,
            time_grids=[
                dict(stage=0, every=1, channels=2),
                dict(stage=4, every=9, channels=2, scale=4),
            ],
        ),
    ],
)
@pytest.mark.parametrize('channels', [1, 4])
def test_frames_of_any_size(size, net, channels):
    net = SingleStageINRN((3, *size, channels), stem_width=8, **net)
    out = net(torch.tensor([0.0, 0.3]))
    assert out.shape == (2, channels, *size)
    assert not torch.equal(out[0], out[1])
    out.sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_peers_of_any_size():
    for net in (
        NeRV((3, 37, 53, 1), arch=4, min_width=4, stem_width=8),
        HNeRV((3, 37, 53, 1), width=8, encoder_width=8),
    ):
        assert net(torch.tensor([0.0, 0.3])).shape == (2, 1, 37, 53)


@pytest.mark.parametrize('kind', [SIREN, FINER, FourierMLP])
@pytest.mark.parametrize('frames', [1, 3])
def test_pixels_by_themselves(kind, frames):
    net = kind((frames, 5, 6, 3), width=8, num_layers=2)
    coords = torch.rand(2, 5, 6, 2 if frames == 1 else 3) * 2 - 1
    out = net(coords)
    assert out.shape == (2, 3, 5, 6) and net.halo == 0
    torch.testing.assert_close(net(coords[:, 1:2, 2:4]), out[:, :, 1:2, 2:4])


def test_pixels_see_neighbours_up_to_the_halo():
    net = SingleStageINRN((1, 20, 20, 3), 'pixel', levels=4)
    assert net.halo == 3
    coords = torch.rand(1, 20, 20, 2)
    out = net(coords)
    coords[0, 0] += 1
    changed = (net(coords) - out).abs().amax((0, 1, 3)) > 0
    assert changed[:4].all() and not changed[4:].any()


def test_residual_blocks_are_the_shared_ones():
    net = SingleStageINRN((1, 20, 20, 3), 'pixel', compression=2, levels=4)
    blocks = [m for m in net.modules() if isinstance(m, INReBlock)]
    assert [block.residual for block in blocks] == [True] * 3
    assert blocks[0].layers[0].out_channels == 32


def test_embeddings_of_hnerv_stay_for_decoding():
    net = HNeRV((3, 16, 24, 3), width=8, encoder_width=8)
    times, frames = torch.tensor([0.0, 1.0]), torch.rand(2, 3, 16, 24)
    encoded = net(times, frames)
    torch.testing.assert_close(net(times), encoded)
    between = net(torch.tensor([0.25]))
    assert between.shape == (1, 3, 16, 24)
    assert not torch.allclose(between, encoded[:1])


@pytest.mark.parametrize(
    'args, message',
    [
        (dict(kind='voxel'), "kind is 'frame' or 'pixel'"),
        (dict(arch='xxl'), "Unknown arch 'xxl'"),
        (dict(arch=dict(widths=[4] * 5, blocks=[1])), 'an entry for each'),
        (dict(arch=dict(widths=[4] * 5), strides=(2, 2)), 'as many strides'),
        (dict(arch=dict(widths=[4] * 5), levels=0), 'leaves no embedding'),
        (dict(kind='pixel', levels=0), 'give grids'),
        (dict(levels=None), 'is for pixels'),
        (dict(strides=(1,) * 5, grid=(2, 2)), 'must be at least'),
    ],
)
def test_bad_arguments(args, message):
    with pytest.raises(ValueError, match=message):
        SingleStageINRN((2, 8, 8, 3), **args)


def test_frequencies_follow_the_size_of_an_image():
    net = SingleStageINRN((1, 5, 16, 3), 'pixel', base=2.0, levels=None)
    assert net.stem.linear.in_features == 2 * 2 * 4


def test_unknown_size_and_empty_signal():
    with pytest.raises(ValueError, match="Unknown arch 'xl'"):
        NeRV(BUNNY, arch='xl')
    with pytest.raises(ValueError, match='of at least one'):
        SIREN((1, 0, 4, 3))


@pytest.mark.parametrize('net', [SIREN, FINER, FourierMLP])
def test_half_precision_tells_neighbours_apart(net):
    """bfloat16 has no 2048 numbers for the coordinates of a row."""
    net = net((1, 1, 2048, 3))
    coords = torch.linspace(-1, 1, 2048)[None, None, :, None].repeat(1, 1, 1, 2)
    angles = []
    net.layers[0].register_forward_hook(lambda *x: angles.append(x[-1]))
    net(coords)
    with torch.autocast('cpu', torch.bfloat16):
        assert net(coords).dtype == torch.bfloat16
    assert torch.equal(*angles)
