"""Turn a YOLOX that was exported to ONNX by its authors into weights of mmdet's YOLOX.

Exporters fold batch norms into convolutions: the network computes the same, but
its norms would throw away the scale of each channel as soon as it trains. With
--config they are filled in again with the mean and variance that that config's
training images give, so that it can be fine-tuned; what it computes stays.
"""

import argparse
import sys
from itertools import islice
from pathlib import Path

EXAMPLES = """examples:
  python tools/model_converters/yolox_from_onnx.py yolox_nano.onnx yolox_nano.pth \\
      --config configs/bccd/yolox-nano_bccd.py
  python tools/train.py configs/bccd/yolox-nano_bccd.py \\
      --cfg-options load_from=yolox_nano.pth"""
NANO = 'mmdet::yolox/yolox_nano_8xb8-300e_coco.py'
SIZE = 416  # pixels of the images that both networks are compared on
TOLERANCE = 1e-3  # of logits and box codes


def main() -> None:
    """Convert a file, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('onnx', type=Path, help="the authors' export, without decoded boxes")
    parser.add_argument('out', type=Path, help='the new checkpoint')
    parser.add_argument('--model', default=NANO, help=f'mmdet config of its size (default: {NANO})')
    parser.add_argument(
        '--config', help='config of the fine-tuning, whose images fill in the norms'
    )
    parser.add_argument('--images', type=int, default=64, help='how many of them (default: 64)')
    args = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # tools.*
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        convert(args)


def convert(args: argparse.Namespace) -> None:
    """Convert the file; see the arguments of the tool.

    Args:
        args (Namespace): ``onnx``, ``out``, ``model``, ``config`` and ``images``.

    Raises:
        ValueError: If the file is of another network.
        ImportError: If onnx or onnxruntime is missing.
    """
    import torch

    from inrn_mm.distillation.configs import model_config
    from inrn_mm.utils.whole_file import whole_file

    model = build(model_config(args.model))
    fill(model, args.onnx)
    difference = compare(model, args.onnx)
    if difference > TOLERANCE:
        raise ValueError(
            f'{args.onnx} and {args.model} differ by {difference:.3g} in what they compute: the '
            'file has another order of layers or decoded boxes.'
        )
    print(f'{args.onnx}: the same outputs, to {difference:.1g}')
    if args.config:
        unfold_norms(model, args.config, args.images)
        print(f'norms: statistics of {args.images} images of {args.config}')
    with whole_file(args.out) as part:
        torch.save(dict(state_dict=model.state_dict()), part)


def build(cfg):
    """Build a detector of mmdet for testing."""
    from mmengine.registry import MODELS, DefaultScope

    with DefaultScope.overwrite_default_scope('mmdet'):
        return MODELS.build(cfg).eval()


def fill(model, path):
    """Give a YOLOX the convolutions of an ONNX file, in the order of the authors' code."""
    import torch

    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise ImportError('Reading ONNX needs: pip install onnx onnxruntime') from error
    graph = onnx.load(str(path)).graph
    values = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
    found = [node.input[1:3] for node in graph.node if node.op_type == 'Conv']
    names = order(model)
    if len(names) != len(found):
        raise ValueError(f'{path} has {len(found)} convolutions and the model {len(names)}.')
    for name, (weight, bias) in zip(names, found):
        conv = model.get_submodule(name)
        if conv.weight.shape != values[weight].shape:
            raise ValueError(
                f'{path}: {weight} has the shape {values[weight].shape}, {name} '
                f'{tuple(conv.weight.shape)}.'
            )
        conv.weight.data.copy_(torch.tensor(values[weight]))
        if conv.bias is not None:
            conv.bias.data.copy_(torch.tensor(values[bias]))
            continue
        norm = model.get_submodule(name.rpartition('.')[0]).bn  # the identity but for a shift
        norm.weight.data.fill_(1)
        norm.bias.data.copy_(torch.tensor(values[bias]))
        norm.running_mean.zero_()
        norm.running_var.fill_(1 - norm.eps)


def order(model):
    """List the convolutions of mmdet's YOLOX as the authors' YOLOX runs them."""
    import torch

    names = []
    convs = [(n, m) for n, m in model.named_modules() if isinstance(m, torch.nn.Conv2d)]
    hooks = [m.register_forward_hook(lambda *_, n=n: names.append(n)) for n, m in convs]
    with torch.no_grad():
        model._forward(torch.zeros(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    # mmdet runs the short branch of a CSP layer first, and all levels' stems (out_convs)
    # and heads one kind after the other
    for i, name in enumerate(names[:-1]):
        if name.endswith('short_conv.conv') and names[i + 1].endswith('main_conv.conv'):
            names[i : i + 2] = names[i + 1], name
    ordered = [n for n in names if not n.startswith(('neck.out_convs', 'bbox_head'))]
    parts = ('cls_convs', 'conv_cls', 'reg_convs', 'conv_reg', 'conv_obj')
    for level in range(len(model.bbox_head.strides)):
        wanted = [f'neck.out_convs.{level}.']
        wanted += [f'bbox_head.multi_level_{part}.{level}' for part in parts]
        ordered += [n for prefix in wanted for n in names if f'{n}.'.startswith(prefix)]
    return ordered


def compare(model, path):
    """Compute the largest difference of logits and box codes on noise."""
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(str(path), providers=['CPUExecutionProvider'])
    feed = session.get_inputs()[0]
    size = [dim if isinstance(dim, int) else SIZE for dim in feed.shape[2:]]
    image = 255 * torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    theirs = torch.tensor(session.run(None, {feed.name: image.numpy()})[0])
    with torch.no_grad():
        scores, boxes, objects = model._forward(image)
    ours = [
        torch.cat([b.flatten(2), o.flatten(2).sigmoid(), s.flatten(2).sigmoid()], 1)
        for s, b, o in zip(scores, boxes, objects)
    ]
    return float((torch.cat(ours, 2).transpose(1, 2) - theirs).abs().max())


def unfold_norms(model, config, images):
    """Fill in the batch norms from images; what the network computes stays.

    A norm sees the same before and after, so that one pass measures all.
    """
    import torch
    from mmengine.registry import DefaultScope
    from mmengine.runner import Runner

    from inrn_mm.engine.config_file import read_config

    cfg = read_config(config)
    with DefaultScope.overwrite_default_scope('mmdet'):
        loader = Runner.build_dataloader(cfg.train_dataloader, seed=0)
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    sums = {norm: torch.zeros(3, norm.num_features, dtype=torch.double) for norm in norms}

    def add(norm, inputs, _):
        x = inputs[0].double()
        sums[norm] += torch.stack(
            [
                torch.full((x.shape[1],), x.numel() / x.shape[1]),
                x.sum((0, 2, 3)),
                (x**2).sum((0, 2, 3)),
            ]
        )

    hooks = [norm.register_forward_hook(add) for norm in norms]
    batches = max(1, images // cfg.train_dataloader.batch_size)
    with torch.no_grad():
        for batch in islice(loader, batches):
            model._forward(model.data_preprocessor(batch)['inputs'])
    for hook in hooks:
        hook.remove()
    for norm, (count, total, squares) in sums.items():
        mean = total / count
        var = (squares / count - mean**2).clamp(min=1e-8)
        # weight * (x - mean) / sqrt(var + eps) + bias, as before: x + shift
        norm.bias.data.copy_(norm.bias.data.double() + mean)
        norm.weight.data.copy_((var + norm.eps).sqrt())
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(var)


if __name__ == '__main__':
    main()
