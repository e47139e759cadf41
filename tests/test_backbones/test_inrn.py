import copy
import inspect
import io

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from inrn_mm.backbones import INRN
from inrn_mm.layers import INReBlock

TINY = dict(widths=[8, 16, 16, 32], depths=[1, 1, 2, 1])


def count(model):
    return sum(p.numel() for p in model.parameters()) / 1e6


@pytest.mark.parametrize(
    'arch, compression, classes, paper',
    [
        ('m', 1, 1000, 14),
        ('m', 2, 1000, 5.7),
        ('l', 1, 1000, 57),
        ('l', 2, 1000, 21),
        ('s', 0.5, 100, 2.86),
    ],
)
def test_parameters_are_those_of_table_2(arch, compression, classes, paper):
    """Within 4 % with the linear head."""
    model = INRN(arch, compression=compression)
    head = (model.out_channels[-1] + 1) * classes / 1e6
    assert count(model) + head == pytest.approx(paper, rel=0.04)


@pytest.mark.parametrize('arch', ['s', 'm', 'l'])
def test_both_stackings_have_the_same_number_of_blocks(arch):
    """Table 3, Before and After."""
    after, before = (INRN.arch_settings[name]['depths'] for name in (arch, f'{arch}-uniform'))
    assert sum(after) == sum(before) and after != before


@pytest.mark.parametrize(
    'stem, strides', [('conv7', [4, 8, 16, 32]), ('deep', [4, 8, 16, 32]), ('conv3', [1, 2, 4, 8])]
)
def test_strides(stem, strides):
    outs = INRN(TINY, stem=stem)(torch.rand(1, 3, 64, 96))
    assert [tuple(x.shape) for x in outs] == [
        (1, w, 64 // s, 96 // s) for w, s in zip(TINY['widths'], strides)
    ]


def test_out_indices():
    model = INRN(TINY, out_indices=(1, -1))
    assert model.out_indices == (1, 3) and model.out_channels == [16, 32]
    assert [x.shape[1] for x in model(torch.rand(2, 3, 32, 32))] == [16, 32]


@pytest.mark.parametrize('out_indices', [1, (0, 2), None])
def test_no_stage_is_built_that_does_not_run(out_indices):
    """DDP would wait for the gradients of its parameters."""
    model = INRN(TINY, out_indices=out_indices)
    sum(x.square().mean() for x in model(torch.rand(2, 3, 32, 32))).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    assert len(model.stages) == len(model.res_layers) == model.out_indices[-1] + 1


def test_weights_of_the_whole_network_load_into_its_first_stages():
    whole = INRN(TINY)
    model = nn.Sequential(INRN(TINY, out_indices=1, frozen_stages=4))
    state = {f'0.{key}': value for key, value in whole.state_dict().items()}
    model.load_state_dict(state)  # strict
    for key, value in model.state_dict().items():
        assert torch.equal(value, state[key])
    with pytest.raises(RuntimeError, match='Unexpected key'):
        model.load_state_dict({**state, '0.stages.4.0.weight': torch.zeros(1)})


@pytest.mark.parametrize('arch, stem', [('s', None), ('m', None), ('m', 'deep'), (TINY, 'conv3')])
def test_feature_info_tells_channels_and_strides(arch, stem):
    model = INRN(arch, stem=stem, out_indices=(0, 2)).eval()
    outs = model(torch.rand(1, 3, 64, 64))
    assert [(x.shape[1], 64 // x.shape[2]) for x in outs] == [
        (info['num_chs'], info['reduction']) for info in model.feature_info
    ]
    assert [info['module'] for info in model.feature_info] == ['stages.0', 'stages.2']


def test_layer_depths():
    """Later layers learn faster; transitions with the block behind them."""
    model = INRN(TINY)  # five blocks
    depth = {n: model.get_layer_depth(f'backbone.{n}', 'backbone.')[0] for n in model.state_dict()}
    assert list(depth.values()) == sorted(depth.values())
    assert depth['stem.0.conv.weight'] == 0
    assert depth['stages.0.0.layers.0.conv.weight'] == 1
    assert depth['stages.2.0.conv.weight'] == depth['stages.2.1.layers.0.conv.weight'] == 3
    assert depth['stages.2.2.layers.0.conv.weight'] == 4
    assert model.get_layer_depth('head.fc.weight', 'backbone.') == (6, 7)


def test_layer_wise_learning_rates():
    pytest.importorskip('mmpretrain')
    model = dict(
        type='ImageClassifier',
        backbone=dict(type='INRN', arch=TINY, out_indices=3),
        neck=dict(type='GlobalAveragePooling'),
        head=dict(type='LinearClsHead', num_classes=3, in_channels=32),
    )
    optimizer = dict(
        optimizer=dict(type='SGD', lr=1.0, weight_decay=0.1),
        constructor='LearningRateDecayOptimWrapperConstructor',
        paramwise_cfg=dict(layer_decay_rate=0.5),
    )
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(model)
        wrapper = build_optim_wrapper(model, optimizer)
    rates = {id(p): group['lr'] for group in wrapper.param_groups for p in group['params']}
    assert rates[id(model.head.fc.weight)] == 1
    assert rates[id(model.backbone.stages[3][1].layers[0].conv.weight)] == 0.5
    assert rates[id(model.backbone.stem[0].conv.weight)] == 0.5**6


@pytest.mark.parametrize('norm', ['BN', 'SyncBN'])
def test_checkpointing_is_exact_under_the_norms_of_detectors(norm):
    """Outputs, gradients and statistics, over two steps."""
    states = []
    for with_cp in (False, True):
        torch.manual_seed(0)
        model = INRN(TINY, norm_cfg=dict(type=norm), with_cp=with_cp)
        model.init_weights()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            sum(x.square().mean() for x in model(torch.rand(2, 3, 32, 32))).backward()
            optimizer.step()
        states.append(model.state_dict())
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    assert states[1]['stages.0.0.layers.0.bn.num_batches_tracked'] == 2


# names and shapes of released checkpoints
KEYS = """
    stem.0.conv.weight(8,3,7,7) stem.0.bn.weight(8,)
    stages.0.0.layers.0.conv.weight(4,8,1,1) stages.0.0.layers.2.bn.bias(8,)
    stages.1.0.conv.weight(16,8,3,3) stages.1.0.bn.running_var(16,)
    stages.2.2.layers.1.conv.weight(8,8,3,3) stages.3.1.layers.2.bn.num_batches_tracked()
"""


def test_names_of_weights_stay():
    names = {f'{k}{tuple(v.shape)}'.replace(' ', '') for k, v in INRN(TINY).state_dict().items()}
    assert len(names) == 114 and set(KEYS.split()) <= names


@pytest.mark.parametrize('frozen', [-1, 0, 2])
def test_frozen_stages(frozen):
    model = INRN(TINY, frozen_stages=frozen).train()
    parts = [model.stem, *model.stages]
    for i, part in enumerate(parts):
        expected = i > frozen
        assert all(p.requires_grad == expected for p in part.parameters())
        assert all(m.training == expected for m in part.modules())


def test_norm_eval_keeps_the_statistics():
    model = INRN(TINY, norm_eval=True).train()
    before = copy.deepcopy(dict(model.named_buffers()))
    model(torch.rand(2, 3, 32, 32))
    assert all(torch.equal(before[name], b) for name, b in model.named_buffers())
    assert model.stages[0][0].training
    assert not model.stages[0][0].layers[0].bn.training


def test_arguments_reach_the_blocks():
    model = INRN(
        TINY,
        compression=4,
        order='conv-mlp-mlp',
        kernel_size=5,
        residual=False,
        drop_path_rate=0.2,
        with_cp=True,
        norm_cfg=dict(type='GN', num_groups=2),
        act_cfg=dict(type='ReLU'),
    )
    blocks = [m for m in model.modules() if isinstance(m, INReBlock)]
    assert len(blocks) == sum(TINY['depths'])
    assert [b.layers[0].conv.kernel_size[0] for b in blocks] == [5] * 5
    assert blocks[-1].layers[0].conv.out_channels == 32 // 4
    assert not any(b.residual for b in blocks)
    assert all(b.with_cp for b in blocks)
    rates = [getattr(b.drop_path, 'drop_prob', 0) for b in blocks]
    assert rates == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])
    kinds = {type(m) for m in model.modules()}
    assert nn.GroupNorm in kinds and nn.BatchNorm2d not in kinds
    assert nn.ReLU in kinds and nn.GELU not in kinds


@pytest.mark.parametrize('scope', ['mmengine', 'mmdet', 'mmpretrain'])
@pytest.mark.smoke
def test_found_from_every_scope(scope):
    pytest.importorskip(scope)
    with DefaultScope.overwrite_default_scope(scope):
        for name in ('INRN', 'inrn_mm.INRN'):
            assert type(MODELS.build(dict(type=name, arch=TINY))) is INRN
        assert type(MODELS.build(dict(type='INReBlock', in_channels=8))) is INReBlock


@pytest.mark.smoke
def test_every_parameter_gets_a_gradient():
    model = INRN(TINY)
    model.init_weights()
    sum(x.square().mean() for x in model(torch.rand(2, 3, 64, 64))).backward()
    # behind zero-initialised branches the gradient is there, and is zero
    assert all(p.grad is not None for p in model.parameters())


def test_stage_gradients_are_balanced_at_the_start():
    """What lets the deep INRN-L train from scratch."""
    torch.manual_seed(0)
    model = INRN('l')
    model.init_weights()
    outs = model(torch.randn(2, 3, 64, 64))
    (outs[-1] * torch.randn_like(outs[-1])).sum().backward()
    firsts = [model.stem[0].conv] + [s[0].conv for s in model.stages[1:]]
    norms = torch.stack([conv.weight.grad.norm() for conv in firsts])
    assert norms.max() / norms.min() < 10
    assert all(0.1 < x.std() < 10 for x in outs)


def test_zero_init_residual():
    for flag in (True, False):
        model = INRN(TINY, zero_init_residual=flag)
        model.init_weights()
        weight = model.stages[0][0].layers[-1].bn.weight
        assert weight.eq(0).all() == flag


@pytest.mark.parametrize('listed', [False, True])
def test_pretrained_init_reads_a_classifier_checkpoint(tmp_path, listed):
    source = INRN(TINY)
    nn.init.constant_(source.stages[0][0].layers[-1].bn.weight, 0.7)
    state = {f'backbone.{k}': v for k, v in source.state_dict().items()}
    torch.save(dict(state_dict=state), tmp_path / 'cls.pth')
    cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'cls.pth'), prefix='backbone.')
    model = INRN(TINY, init_cfg=[cfg] if listed else cfg)
    model.init_weights()
    for name, value in source.state_dict().items():
        assert torch.equal(model.state_dict()[name], value), name


def test_weights_are_initialised_once():
    model = INRN(TINY)
    model.init_weights()
    norm = model.stages[0][0].layers[-1].bn
    nn.init.constant_(norm.weight, 0.7)
    model.init_weights()
    assert norm.weight.eq(0.7).all()


@pytest.mark.smoke
def test_bf16_autocast_and_channels_last_stay_close():
    torch.manual_seed(0)
    model = INRN(TINY).eval()
    x = torch.rand(2, 3, 64, 64)
    expected = model(x)
    last = model.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    assert last[0].is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(last, expected, atol=1e-4, rtol=1e-4)
    with torch.autocast('cpu', torch.bfloat16):
        half = model(x)
    assert half[-1].dtype == torch.bfloat16
    for a, b in zip(half, expected):
        assert nn.functional.cosine_similarity(a.float().flatten(), b.flatten(), 0) > 0.999


@pytest.mark.smoke
def test_export_keeps_the_outputs():
    model = INRN(TINY).eval()
    x = torch.rand(1, 3, 64, 64)
    program = torch.export.export(model, (x,))
    torch.testing.assert_close(program.module()(x), model(x))


@pytest.mark.smoke
def test_onnx_export_keeps_the_outputs():
    onnxruntime = pytest.importorskip('onnxruntime')
    pytest.importorskip('onnx')
    model = INRN(TINY).eval()
    x = torch.rand(1, 3, 64, 64)
    file = io.BytesIO()
    # torch 2.1 has the one exporter and no word for it
    one = 'dynamo' not in inspect.signature(torch.onnx.export).parameters
    torch.onnx.export(model, (x,), file, **({} if one else dict(dynamo=False)))
    session = onnxruntime.InferenceSession(file.getvalue())
    outs = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    for out, expected in zip(outs, model(x)):
        torch.testing.assert_close(torch.from_numpy(out), expected, atol=1e-4, rtol=1e-4)


def test_compile_captures_one_graph():
    model = INRN(TINY).eval()
    x = torch.rand(1, 3, 64, 64)
    compiled = torch.compile(model, fullgraph=True, backend='aot_eager')
    torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(arch='xl'), "Unknown arch 'xl'"),
        (dict(arch=dict(widths=[8])), "needs 'widths' and 'depths'"),
        (dict(arch=dict(widths=[8], depths=[1, 1])), '1 widths and 2 depths'),
        (dict(arch=dict(widths=[], depths=[])), 'and a stage'),
        (dict(arch=dict(widths=[8, 8], depths=[2, -1])), 'depth .* at least 0, got -1'),
        (dict(arch=dict(widths=[8], depths=[1.5])), 'depth .* got 1.5'),
        (dict(arch=dict(widths=[-8], depths=[1])), 'width .* got -8'),
        (dict(drop_path_rate=2), 'drop_path_rate must be .* below 1, got 2'),
        (dict(drop_path_rate=float('nan')), 'drop_path_rate must be .* got nan'),
        (dict(compression=float('nan')), 'compression must be .* got nan'),
        (dict(in_channels=0), 'in_channels must be .* at least 1, got 0'),
        (dict(frozen_stages=1.5), 'frozen_stages must be a whole number'),
        (dict(frozen_stages=-2), 'frozen_stages must be .* at least -1'),
        (dict(stem='conv5'), "Unknown stem 'conv5'"),
        (dict(out_indices=(0, 4)), 'Stage 4 of out_indices'),
        (dict(frozen_stages=5), 'frozen_stages=5 does not exist'),
        (dict(order='mlp-x'), "Unknown block order 'mlp-x'"),
    ],
)
def test_bad_arguments(kwargs, message):
    with pytest.raises(ValueError, match=message):
        INRN(**{'arch': TINY, **kwargs})


@pytest.mark.parametrize(
    'arch, memory_format', [('s', torch.contiguous_format), ('m', torch.channels_last)]
)
def test_deployed_network_is_the_same(arch, memory_format):
    torch.manual_seed(0)
    model = INRN(arch)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -1, 1)
            nn.init.uniform_(module.running_var, 0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    model.eval()
    x = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        plain = model(x)
        model.switch_to_deploy()
        model.to(memory_format=memory_format)
        folded = model(x.contiguous(memory_format=memory_format))
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    for a, b in zip(plain, folded):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
    # its weights are those of the network without norms
    other = INRN(arch, norm_cfg=None).eval()
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(other(x)[-1], folded[-1], rtol=1e-3, atol=1e-3)


def test_norms_of_the_image_are_not_folded():
    with pytest.raises(ValueError, match='GroupNorm depends on the image'):
        INRN('m', norm_cfg=dict(type='GN', num_groups=8)).switch_to_deploy()
