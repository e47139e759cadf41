"""A YOLOX from ONNX: the same outputs, and norms that can be trained."""

import pytest
import torch
from mmengine.config import Config
from tool_runs import ROOT, dump_config
from voc_sets import make_voc

onnx = pytest.importorskip('onnx')
pytest.importorskip('onnxruntime')

TOOL = 'model_converters/yolox_from_onnx.py'
CONFIG = ROOT / 'configs/bccd/yolox-nano_bccd.py'


class Export(torch.nn.Module):
    """What the authors export: box codes, then sigmoids of objects and classes."""

    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, image):
        scores, boxes, objects = self.net._forward(image)
        levels = [
            torch.cat([b.flatten(2), o.flatten(2).sigmoid(), s.flatten(2).sigmoid()], 1)
            for s, b, o in zip(scores, boxes, objects)
        ]
        return torch.cat(levels, 2).transpose(1, 2)


@pytest.fixture(scope='module')
def yolox():
    """The BCCD teacher, narrowed, with weights that are not alike."""
    from tools.model_converters.yolox_from_onnx import build

    cfg = Config.fromfile(CONFIG).model
    cfg.backbone.widen_factor, cfg.neck.in_channels = 0.0625, [16, 32, 64]
    torch.manual_seed(0)
    return cfg, build(cfg)


def write_onnx(net, path):
    """Write a file with the convolutions in the authors' order, norms folded."""
    from tools.model_converters.yolox_from_onnx import order

    nodes, values = [], []
    for i, name in enumerate(order(net)):
        conv = net.get_submodule(name)
        bias = conv.bias
        if bias is None:
            bias = net.get_submodule(name.rpartition('.')[0]).bn.bias
        for kind, value in (('w', conv.weight), ('b', bias)):
            values.append(onnx.numpy_helper.from_array(value.detach().numpy(), f'{kind}{i}'))
        nodes.append(onnx.helper.make_node('Conv', ['x', f'w{i}', f'b{i}'], [f'y{i}']))
    graph = onnx.helper.make_graph(nodes, 'yolox', [], [], values)
    onnx.save(onnx.helper.make_model(graph), path)


def test_weights_find_their_places(yolox, tmp_path):
    from tools.model_converters.yolox_from_onnx import build, fill

    cfg, net = yolox
    for norm in (m for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.running_var.fill_(1 - norm.eps)  # as folded: a shift alone
        torch.nn.init.normal_(norm.bias)
    write_onnx(net, tmp_path / 'net.onnx')
    other = build(cfg)
    fill(other, tmp_path / 'net.onnx')
    image = 255 * torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(Export(other)(image), Export(net)(image))


def test_norms_are_filled_in(yolox, tmp_path):
    """The same function; and training begins where it was."""
    from tools.model_converters.yolox_from_onnx import build, unfold_norms

    cfg = Config.fromfile(CONFIG)
    objects = [[('RBC', 10, 10, 50, 40)]] * 8
    data = make_voc(tmp_path / 'voc', objects, ('RBC', 'WBC', 'Platelets'))
    data['pipeline'].append(dict(type='PackDetInputs'))
    cfg.train_dataloader.dataset = data
    cfg.train_dataloader.update(num_workers=0, persistent_workers=False)
    config = dump_config(tmp_path / 'config.py', cfg)
    net = build(yolox[0])
    image = 255 * torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        before = Export(net)(image)
        folded = _stem_in_training(net, image)
        unfold_norms(net, config, images=8)
        torch.testing.assert_close(Export(net)(image), before, atol=1e-4, rtol=1e-3)
        stem = net.backbone.stem.conv
        assert stem.bn.running_mean.abs().max() > 1  # the images' own
        changed = (_stem_in_training(net, image) - net.backbone.stem(image)).abs().mean()
        assert changed < 0.5 * (folded - net.backbone.stem(image)).abs().mean()


def _stem_in_training(net, image):
    found = net.backbone.stem.train()(image)
    net.backbone.stem.eval()
    return found


def test_another_network_is_refused(tmp_path, run_tool, yolox, capsys):
    write_onnx(yolox[1], tmp_path / 'net.onnx')
    with pytest.raises(SystemExit):
        run_tool(TOOL, tmp_path / 'net.onnx', tmp_path / 'out.pth')
    assert 'has the shape' in capsys.readouterr().err
    assert not (tmp_path / 'out.pth').exists()


def test_the_coco_detector(tmp_path, run_tool, capsys):
    """The real file: the same outputs as its own."""
    file = ROOT.parent / 'shared/data/weights/yolox_nano.onnx'
    if not file.is_file():
        pytest.skip('needs yolox_nano.onnx of the real data')
    run_tool(TOOL, file, tmp_path / 'out.pth')
    assert 'the same outputs' in capsys.readouterr().out
    assert (tmp_path / 'out.pth').is_file()
