"""Build networks of other libraries as teachers, without weights, and compare features."""

import argparse
import tempfile
from pathlib import Path

# the layouts of today: with and without class and register tokens, hierarchies, plain networks
TIMM = """
    resnet18 resnetv2_50 regnety_002 convnext_atto convnextv2_atto efficientnet_b0
    tf_efficientnet_lite0 mobilenetv3_small_100 mobilenetv4_conv_small hgnetv2_b0 repvit_m0_9
    fastvit_t8 pvt_v2_b0 swin_tiny_patch4_window7_224 vit_tiny_patch16_224
    deit3_small_patch16_224 vit_small_patch14_dinov2 vit_small_patch14_reg4_dinov2
    vit_small_patch16_dinov3 vit_base_patch16_siglip_224 vit_base_patch16_clip_224
    eva02_tiny_patch14_224
"""
TORCHVISION = """
    resnet18 regnet_y_400mf convnext_tiny efficientnet_b0 mobilenet_v3_small
    shufflenet_v2_x0_5 densenet121 vgg11 swin_t vit_b_16
"""
VIT = dict(hidden_size=48, num_hidden_layers=4, num_attention_heads=3, intermediate_size=96)
HF = dict(
    dinov2=VIT,
    dinov2_with_registers=VIT,
    dinov3_vit=dict(VIT, num_register_tokens=4),
    vit=VIT,
    clip_vision_model=VIT,
    siglip_vision_model=VIT,
    swin={},
    convnext={},
    resnet={},
    segformer={},
)
SIZE = (224, 288)
STUDENT = dict(
    type='mmpretrain.ImageClassifier',
    backbone=dict(type='mmpretrain.ResNet', depth=18, base_channels=8, stem_channels=8),
    neck=dict(type='mmpretrain.GlobalAveragePooling'),
    head=dict(type='mmpretrain.LinearClsHead', num_classes=10, in_channels=64),
    data_preprocessor=dict(
        type='mmpretrain.ClsDataPreprocessor', mean=[110, 120, 130], std=[50, 60, 70], to_rgb=True
    ),
)


def main() -> None:
    """Print a row for each network, as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='example: python tools/analysis_tools/teacher_table.py --only resnet18 dinov2',
    )
    parser.add_argument('--only', nargs='+', metavar='NAME', help='these networks of the list')
    args = parser.parse_args()
    names = [f'timm::{name}' for name in TIMM.split()]
    names += [f'torchvision::{name}' for name in TORCHVISION.split()]
    names += [f'hf::{name}' for name in HF]
    if args.only:
        names = [name for name in names if name.partition('::')[2] in args.only]
    if not names:
        parser.error(f'there is no {" ".join(args.only)} in the list: see {Path(__file__).name}.')
    from tqdm import tqdm

    print('| teacher | strides of its stages | other tokens | largest difference |')
    print('|---|---|---|---|')
    for name in tqdm(names, disable=None):
        print('|', ' | '.join(row(name)), '|', flush=True)


def row(name: str) -> list[str]:
    """Distil one step under a network, and compare its features with those by hand.

    Args:
        name (str): The teacher's name.

    Returns:
        list[str]: The name, strides, tokens that are no places, and the largest difference
        between what the teacher's stages give and what the library's network gives for images
        that are normalised by hand, over the largest value.
    """
    import torch
    from mmengine.registry import MODELS

    import inrn_mm.classification  # noqa: F401
    from inrn_mm.distillation.layouts import count_extra
    from inrn_mm.distillation.methods.networks import Network

    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        cfg = dict(type='KnowledgeDistiller', student=STUDENT, method='inrn')
        teacher = _without_weights(name, folder)
        model = MODELS.build(dict(cfg, teacher=teacher, allow_random_teacher=True)).train()
    images, batch = _batch(model)
    model.parse_losses(model(**batch, mode='loss'))[0].backward()
    teacher, taps = model.teacher, model.bound[0].teacher_taps
    features = teacher(batch['inputs'], batch['data_samples'], taps)
    stages = Network(teacher.net).stages
    expected = _by_hand(teacher, images, [tap.path for tap in taps])
    largest = max(
        float((features[tap][0] - x).abs().max() / x.abs().max()) for tap, x in zip(taps, expected)
    )
    strides = sorted({round(place.stride, 1) for place in stages})
    layer = taps[-1].path
    tokens = count_extra(teacher.net, layer) if features[taps[-1]][0].dim() == 3 else 0
    return [f'`{name}`', ', '.join(f'{x:g}' for x in strides), str(tokens), f'{largest:.1e}']


def _without_weights(name: str, folder: str) -> str:
    """Write the config of a network of Hugging Face, in place of the hub's."""
    library, _, kind = name.partition('::')
    if library != 'hf':
        return name
    from transformers import AutoConfig

    AutoConfig.for_model(kind, **HF[kind]).save_pretrained(folder)
    return f'hf::{folder}'


def _batch(model) -> tuple:
    """Make two images (BGR, 0 to 255) with labels, as they are and as the student sees them."""
    import torch
    from mmpretrain.structures import DataSample

    images = torch.randint(256, (2, 3, *SIZE), dtype=torch.uint8)
    samples = [DataSample(metainfo=dict(img_shape=SIZE)).set_gt_label(i) for i in range(2)]
    data = dict(inputs=list(images), data_samples=samples)
    return images.float(), model.data_preprocessor(data, True)


def _by_hand(teacher, images, paths: list) -> list:
    """Run the library's network on images that are normalised here."""
    import torch
    import torch.nn.functional as F

    cfg, net = teacher.net.data_preprocessor, teacher.net
    x = (images.flip(1) - cfg.mean.view(3, 1, 1)) / cfg.std.view(3, 1, 1)
    if teacher.sizes.fixed:
        x = F.interpolate(x, teacher.sizes.fixed, mode='bilinear', antialias=True)
    bottom, right = (-side % cfg.pad_size_divisor for side in x.shape[-2:])
    seen: dict = {}
    for path in paths:
        net.get_submodule(path).register_forward_hook(
            lambda _, args, out, path=path: seen.update({path: _copy(out)})
        )
    with torch.no_grad():
        net.model(F.pad(x, (0, right, 0, bottom)), **getattr(net, 'options', {}))
    return [seen[path] for path in paths]


def _copy(out):
    """Copy a layer's tensor, which the next one may overwrite."""
    return (out[0] if isinstance(out, tuple) else out).clone()


if __name__ == '__main__':
    main()
