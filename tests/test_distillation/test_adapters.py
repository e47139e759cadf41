"""Networks of timm, torchvision, Hugging Face and ONNX files as teachers."""

import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS
from torch import nn
from torch.nn import functional as F
from toys import MEAN, STD, toy_batch, toy_config

from inrn_mm.distillation.configs import model_config
from inrn_mm.distillation.methods.networks import Network
from inrn_mm.engine.class_names import map_classes

TINY = dict(hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=48)
HF = {
    'dinov2': dict(TINY, patch_size=14, image_size=56),
    'dinov2_with_registers': dict(TINY, patch_size=14, image_size=56, num_register_tokens=4),
    'dinov3_vit': dict(TINY, patch_size=16, image_size=64, num_register_tokens=2),
    'clip_vision_model': dict(TINY, patch_size=16, image_size=64),
    'siglip_vision_model': dict(TINY, patch_size=16, image_size=64),
}
EXTRA = [1, 5, 3, 1, 0]


def hf_folder(kind, folder, weights=False):
    """Write a small network's config and the settings of its processor."""
    transformers = pytest.importorskip('transformers')
    config = transformers.AutoConfig.for_model(kind, **HF[kind])
    config.save_pretrained(folder)
    (folder / 'preprocessor_config.json').write_text(
        '{"image_processor_type": "ViTImageProcessor", "image_mean": [0.5, 0.4, 0.3],'
        ' "image_std": [0.2, 0.3, 0.4]}'
    )
    net = transformers.AutoModel.from_config(config)
    if weights:
        net.save_pretrained(folder)
    return net


def distiller(teacher, losses=None, **kwargs):
    torch.manual_seed(0)
    losses = losses or [dict(type='PearsonLoss', pairs=[(2, -1)])]
    cfg = toy_config(losses) | dict(allow_random_teacher=False, teacher=teacher) | kwargs
    return MODELS.build(cfg)


def features_of(model, layer=-1):
    """Give the teacher's features of a batch by the distiller, as maps, and the pixels (RGB)."""
    batch = toy_batch(model)
    model.train()(**batch, mode='loss')['loss_pearson.stage2'].backward()
    pixels = batch['inputs'] * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    (bound,) = model.bound
    taps = bound.teacher_taps
    features = model.teacher(batch['inputs'], batch['data_samples'], taps)
    return features.maps(taps[0], bound._layouts[0][1])[0], pixels.flip(1)


def normalized(net, pixels, divisor=1):
    """Normalise and pad by hand."""
    cfg = net.data_preprocessor
    x = (pixels - cfg.mean.view(3, 1, 1)) / cfg.std.view(3, 1, 1)
    bottom, right = (-side % divisor for side in x.shape[-2:])
    return F.pad(x, (0, right, 0, bottom))


@pytest.mark.parametrize(
    ('name', 'stride', 'logits'),
    [
        ('test_resnet', 32, 'model.fc'),
        ('convnext_atto', 32, 'model.head.fc'),
        ('test_vit', 16, 'model.head'),
        ('vit_pwee_patch16_reg1_gap_256', 16, 'model.head'),
        ('swin_tiny_patch4_window7_224', 32, 'model.head.fc'),
    ],
)
def test_timm(name, stride, logits):
    """Features are those of timm's own means, images of any size are taken."""
    pytest.importorskip('timm')
    model = distiller(f'timm::{name}', allow_random_teacher=True)
    net = model.teacher.net
    network = Network(net)
    assert network.stages[-1].stride == stride
    assert network.logits.layers == (logits,)
    assert network.logits.num_classes == net.model.num_classes
    maps, pixels = features_of(model)
    inputs = normalized(net, pixels, net.data_preprocessor.pad_size_divisor)
    expected = net.model.forward_intermediates(inputs, indices=1, intermediates_only=True)[-1]
    torch.testing.assert_close(
        maps, expected[..., : maps.shape[2], : maps.shape[3]], atol=1e-5, rtol=1e-5
    )


@pytest.mark.parametrize(('kind', 'extra'), zip(HF, EXTRA))
def test_hugging_face(kind, extra, tmp_path):
    """Class and register tokens are left out, those of the last block are its hidden state."""
    net = hf_folder(kind, tmp_path, weights=True).eval()
    model = distiller(f'hf::{tmp_path}')
    patch = HF[kind]['patch_size']
    stages = Network(model.teacher.net).stages
    assert [(place.stride, place.channels) for place in stages] == [(patch, 24)] * 3
    assert model.teacher.net.num_prefix_tokens == extra
    maps, pixels = features_of(model)
    assert model.teacher.checkpoint == f'hf::{tmp_path}'
    inputs = normalized(model.teacher.net, pixels, patch)
    blocks = next(m for n, m in net.named_modules() if n.endswith(('layer', 'layers')))
    seen = []
    blocks[-1].register_forward_hook(lambda _, args, out: seen.append(out))
    net(inputs, **model.teacher.net.options)
    out = seen[0][0] if isinstance(seen[0], tuple) else seen[0]
    grid = [side // patch for side in inputs.shape[-2:]]
    expected = out[:, extra:].transpose(1, 2).unflatten(2, grid)
    torch.testing.assert_close(
        maps, expected[..., : maps.shape[2], : maps.shape[3]], atol=1e-5, rtol=1e-5
    )
    mean = model.teacher.net.data_preprocessor.mean.flatten()
    torch.testing.assert_close(mean, torch.tensor([127.5, 102.0, 76.5]))


@pytest.mark.parametrize(
    ('name', 'stages'),
    [
        ('resnet18', ['relu', 'layer1', 'layer2', 'layer3', 'layer4']),
        ('shufflenet_v2_x0_5', ['conv1', 'maxpool', 'stage2', 'stage3', 'conv5']),
        ('regnet_y_400mf', ['stem', *(f'trunk_output.block{i}' for i in (1, 2, 3, 4))]),
    ],
)
def test_torchvision(name, stages):
    net = MODELS.build(model_config(f'torchvision::{name}'))
    assert net.res_layers == [f'model.{stage}' for stage in stages]
    assert [place.stride for place in Network(net).stages] == [2, 4, 8, 16, 32]
    assert Network(net).logits.num_classes == 1000


@pytest.mark.parametrize('prefix', ['', 'model.', 'module.'])
def test_checkpoints(prefix, tmp_path, monkeypatch):
    """Files of both kinds, under the library's names; what is left over is told."""
    pytest.importorskip('timm')
    torch.manual_seed(3)
    net = MODELS.build(model_config('timm::test_resnet')).model
    state = {f'{prefix}{key}': value for key, value in net.state_dict().items()}
    state['something.else'] = torch.zeros(1)
    if prefix:
        path = tmp_path / 'weights.pth'
        torch.save(state, path)
    else:
        path = tmp_path / 'weights.safetensors'
        pytest.importorskip('safetensors.torch').save_file(state, path)
    said = []
    monkeypatch.setattr(
        'inrn_mm.distillation.adapters.adapted.print_log', lambda text, *_: said.append(text)
    )
    model = distiller('timm::test_resnet', teacher_checkpoint=str(path))
    model.train()(**toy_batch(model), mode='loss')
    found = model.teacher.net.model.state_dict()
    assert all(torch.equal(value, found[key]) for key, value in net.state_dict().items())
    assert len(said) == 1 and 'something.else' in said[0]


def test_damaged_safetensors(tmp_path):
    pytest.importorskip('safetensors')
    path = tmp_path / 'weights.safetensors'
    path.write_bytes(b'\x08' + bytes(30))
    model = distiller('torchvision::resnet18', teacher_checkpoint=str(path))
    with pytest.raises(RuntimeError, match='damaged'):
        model.train()(**toy_batch(model), mode='loss')


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('timm::resnet5', 'timm has no network.*did you mean'),
        ('torchvision::resnet19', 'no network.*resnet18'),
        ('torchvision::resnet18.V9', 'IMAGENET1K_V1'),
        ('onnx::there/is/none.onnx', 'does not exist'),
    ],
)
def test_names_that_are_none(name, message):
    if name.startswith('timm'):
        pytest.importorskip('timm')
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        MODELS.build(model_config(name))


@pytest.mark.parametrize('name', ['timm::resnet18', 'hf::facebook/dinov2-small'])
def test_a_missing_extra(name, monkeypatch):
    package = 'timm' if name.startswith('timm') else 'transformers'
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match=r"pip install 'inrn_mm\[teachers\]'"):
        MODELS.build(model_config(name))


def test_weights_that_cannot_be_had(monkeypatch):
    def fail(*args, **kwargs):
        raise OSError('no network')

    monkeypatch.setattr('inrn_mm.distillation.adapters.torchvision.load_state_dict_from_url', fail)
    model = distiller('torchvision::resnet18')
    with pytest.raises(ConnectionError, match='no network.*teacher_checkpoint'):
        model.train()(**toy_batch(model), mode='loss')


def write_onnx(path, size):
    """Write a graph of two convolutions with a shortcut, a third and an enlarged map."""
    onnx = pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    convs = [nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 1, 1), nn.Conv2d(4, 6, 3, 2, 1)]
    held = []
    for i, conv in enumerate(convs):
        for part in ('weight', 'bias'):
            value = getattr(conv, part).detach().numpy()
            held.append(onnx.numpy_helper.from_array(value, f'{part}{i}'))
    held.append(onnx.numpy_helper.from_array(np.array([1, 1, 2, 2], 'float32'), 'scales'))
    nodes = [
        helper.make_node(
            'Conv', [x, f'weight{i}', f'bias{i}'], [out], strides=[stride] * 2, pads=[1] * 4
        )
        for i, (x, out, stride) in enumerate(
            [('images', '/stem/out', 2), ('/stem/out', '/inner/out', 1), ('/sum', '/deep', 2)]
        )
    ]
    nodes.insert(2, helper.make_node('Add', ['/stem/out', '/inner/out'], ['/sum']))
    nodes.append(helper.make_node('Resize', ['/deep', '', 'scales'], ['large']))
    graph = helper.make_graph(
        nodes,
        'graph',
        [helper.make_tensor_value_info('images', kind, size)],
        [helper.make_tensor_value_info('large', kind, list('abcd'))],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    onnx.save(model, path)
    return convs


@pytest.mark.parametrize('size', [(1, 3, 32, 32), ('n', 3, 'h', 'w')])
def test_onnx(size, tmp_path):
    path = tmp_path / 'net.onnx'
    first, second, third = write_onnx(path, size)
    model = distiller(f'onnx::{path}')
    net = model.teacher.net
    assert net.res_layers == ['model.sum', 'model.deep']  # no inner tensor, no neck
    maps, pixels = features_of(model)
    # BGR of 0 to 255
    x = first(
        F.interpolate(pixels.flip(1), (32, 32), mode='bilinear', antialias=True)
        if size[0] == 1
        else pixels.flip(1)
    )
    torch.testing.assert_close(maps, third(x + second(x)), atol=1e-3, rtol=1e-5)
    assert model.teacher.checkpoint == f'onnx::{path}'


def test_an_onnx_file_has_its_weights(tmp_path):
    write_onnx(tmp_path / 'net.onnx', (1, 3, 32, 32))
    model = distiller(f'onnx::{tmp_path}/net.onnx', teacher_checkpoint=str(tmp_path / 'w.pth'))
    torch.save(dict(x=torch.zeros(1)), tmp_path / 'w.pth')
    with pytest.raises(ValueError, match='give no checkpoint'):
        model.train()(**toy_batch(model), mode='loss')


def test_classes_of_such_teachers_are_not_asked_for():
    cfg = Config(
        dict(
            model=dict(type='KnowledgeDistiller', teacher='timm::resnet18'),
            train_dataloader=dict(dataset=dict(type='ToyDataset', metainfo=dict(classes=['a']))),
        )
    )
    map_classes(cfg)
    assert 'class_map' not in cfg.model
