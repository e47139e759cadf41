"""Size and cost of the networks, beside the figures of the paper.

One multiply-add is one FLOP. Without --config: INRN-S, M and L, flat (r = 1)
and compressed (Table 2), the two stackings of Table 3 and the block orders of
Table 1, each with a linear classifier; Table 1 and INRN-S as they fit a video,
for one frame of 720 x 1280, beside NeRV; and ResNets.
"""

import argparse
import json

EXAMPLES = """examples:
  python tools/analysis_tools/complexity.py
  python tools/analysis_tools/complexity.py --shape 800 1280 --json FILE
  python tools/analysis_tools/complexity.py --config \\
      configs/inrn/faster-rcnn_inrn-m_kd_coco.py"""

# Table 2, millions of parameters
PAPER = {('s', 1): 2.5, ('s', 0.5): 2.86, ('m', 1): 14, ('m', 2): 5.7, ('l', 1): 57, ('l', 2): 21}
# Table 1 and 2, millions of parameters: arch, r, name
SINGLE_STAGE = {
    ('mlp', None): ('only MLP', 3.54),
    ('front', None): ('front conv + MLP', 4.35),
    ('post', None): ('post conv + MLP', 15.34),
    ('interleaved', None): ('interleaved', 13.0),
    ('s', 1): ('INRN-S r=1', 2.5),
    ('s', 0.5): ('INRN-S r=0.5', 2.86),
}
FRAMES = (132, 720, 1280, 3)
ORDERS = {
    'mlp-mlp': 'only MLP',
    'conv-mlp-mlp': 'front conv + MLP',
    'mlp-mlp-conv': 'post conv + MLP',
    'mlp-conv-mlp': 'interleaved',
}


def networks(shape):
    """Yield rows: group, name, network, input size, paper's million parameters."""
    import torchvision

    from inrn_mm.backbones import INRN
    from inrn_mm.engine.complexity import Classifier

    for r in (1, 0.5):
        yield (
            'Table 2',
            f'INRN-S (CIFAR-100) r={r}',
            Classifier(INRN('s', compression=r), 100),
            (32, 32),
            PAPER['s', r] if r != 1 else None,
        )
    for arch in 'ml':
        for r in (1, 2):
            yield (
                'Table 2',
                f'INRN-{arch.upper()} r={r}',
                Classifier(INRN(arch, compression=r)),
                shape,
                PAPER[arch, r],
            )
    for order, name in ORDERS.items():
        yield (
            'Table 1',
            f'INRN-M {name} ({order})',
            Classifier(INRN('m', order=order)),
            shape,
            None,
        )
    for arch in 'ml':
        yield (
            'Table 3',
            f'INRN-{arch.upper()} before (uniform)',
            Classifier(INRN(f'{arch}-uniform')),
            shape,
            None,
        )
        yield ('Table 3', f'INRN-{arch.upper()} after', Classifier(INRN(arch)), shape, None)
    for depth in (18, 50, 101):
        yield (
            'reference',
            f'ResNet-{depth}',
            getattr(torchvision.models, f'resnet{depth}')(),
            shape,
            None,
        )


def fitting_networks():
    """Yield such rows for networks from a time to a frame, without weights."""
    import torch

    from inrn_mm.fitting import NeRV, SingleStageINRN

    size = FRAMES[1:3]
    with torch.device('meta'):
        for (arch, r), (name, paper) in SINGLE_STAGE.items():
            table = 'Table 1' if r is None else 'Table 2'
            yield (
                f'{table}, single-stage, one frame',
                name,
                SingleStageINRN(FRAMES, arch=arch, compression=r or 1),
                size,
                paper,
            )
        for arch in 'sml':
            yield ('reference, one frame', f'NeRV-{arch.upper()}', NeRV(FRAMES, arch), size, None)


def compare(shape):
    """Count all networks; one dict each."""
    import torch

    from inrn_mm.engine.complexity import count, count_without_data

    rows = []
    counted = [(count(row[2], torch.rand(1, 3, *row[3])), row) for row in networks(shape)]
    counted += [
        (count_without_data(row[2], torch.empty(1, device='meta')), row)
        for row in fitting_networks()
    ]
    for counts, (group, name, _, size, paper) in counted:
        row = dict(group=group, name=name, shape=size, **counts, paper_params=None, deviation=None)
        if paper is not None:
            row.update(paper_params=paper * 1e6, deviation=row['params'] / (paper * 1e6) - 1)
        rows.append(row)
    return rows


def split(config, shape):
    """Count the parts of a config's model; one dict each."""
    from inrn_mm.engine.complexity import count_config

    return [dict(name=name, **counts) for name, counts in count_config(config, shape).items()]


def print_table(rows):
    """Print a line for each; the paper's figure and the deviation where there are."""
    group = None
    print(f'{"":38}{"params":>10}{"GFLOPs":>9}{"activ.":>9}{"paper":>9}{"dev.":>8}')
    for row in rows:
        if row.get('group') != group:
            group = row['group']
            print(group)
        size = row.get('shape')
        at = f'  {size[0]}x{size[1]}' if size else ''
        line = (
            f'  {row["name"]:36}{row["params"] / 1e6:9.2f}M'
            f'{row["flops"] / 1e9:9.3f}{row["activations"] / 1e6:8.2f}M'
        )
        if row.get('paper_params'):
            line += f'{row["paper_params"] / 1e6:8.2f}M{row["deviation"] * 100:+7.1f}%'
        else:
            line += ' ' * 17
        print(line + at)
    print('1 FLOP = one multiply-add; activations = outputs of convolutions and linear layers')


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        '--shape',
        type=int,
        nargs=2,
        metavar=('H', 'W'),
        help='image size (default: 224 224; 800 1280 for a detector config; '
        'INRN-S always 32 32, frames 720 1280)',
    )
    parser.add_argument('--config', help='count the parts of the model of this config instead')
    parser.add_argument('--json', help='write the figures to this file too')
    args = parser.parse_args()

    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        shape = tuple(args.shape) if args.shape else None
        rows = split(args.config, shape) if args.config else compare(shape or (224, 224))
    print_table(rows)
    if args.json:
        with open(args.json, 'w') as file:
            json.dump(rows, file, indent=1)


if __name__ == '__main__':
    main()
