"""Export a trained network into one file that runs without torch.

The file is compared with the network on images before it is kept.
"""

import argparse
import sys
from copy import deepcopy
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
EXAMPLES = """examples:
  python tools/deployment/export.py configs/inrn/faster-rcnn_inrn-m_kd_coco.py \\
      work_dirs/faster-rcnn_inrn-m_kd_coco/epoch_72.pth --out student.onnx
  python tools/deployment/export.py CONFIG CHECKPOINT --out student.onnx --dynamic \\
      --images photos/                     # of any size; compared on photos of yours
  python tools/deployment/export.py CONFIG CHECKPOINT --out student.onnx --size 320 320 \\
      --check CONFIG                       # and the metrics of both on its validation set
  python tools/deployment/predict.py student.onnx photos/ --out pictures/"""


def parse_args() -> argparse.Namespace:
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        'config', help="config file, or 'mmdet::...'; a distilled one is its student"
    )
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('--out', type=Path, required=True, help='the file, ending in .onnx')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        metavar=('HEIGHT', 'WIDTH'),
        help="of the images (default: the config's)",
    )
    parser.add_argument(
        '--dynamic', action='store_true', help='take images of any size, as the config resizes them'
    )
    parser.add_argument(
        '--images',
        nargs='+',
        type=Path,
        help="images or folders to compare on (default: the config's test set)",
    )
    parser.add_argument('--num-images', type=int, default=4, help='how many of them (default: 4)')
    parser.add_argument(
        '--tolerance',
        type=float,
        default=1.0,
        help='times half a pixel, 0.001 of a score, 0.02 of a mask and 2 %% of the objects '
        '(default: 1)',
    )
    parser.add_argument(
        '--check', metavar='CONFIG', help="measure both by this config's validation set and metric"
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, metavar='KEY=VALUE', help='of the config'
    )
    parser.add_argument(
        '--allow-pickle',
        action='store_true',
        help='load checkpoints that can run any code while loading: only for files you trust',
    )
    args = parser.parse_args()
    if args.out.suffix != '.onnx':
        parser.error(f'--out must end in .onnx, not {args.out}')
    return args


def find_images(places: list[Path], count: int) -> list[Path]:
    """Find images, evenly over all.

    Args:
        places (list[Path]): Images and folders, which are searched below.
        count (int): How many.

    Returns:
        list[Path]: At most so many.

    Raises:
        FileNotFoundError: If there are none.
    """
    found = []
    for place in places:
        inside = sorted(place.rglob('*')) if place.is_dir() else [place] * place.is_file()
        found += [path for path in inside if path.suffix.lower() in SUFFIXES]
    if not found:
        raise FileNotFoundError(
            f'There is no image in {", ".join(map(str, places))}: name images or a folder of '
            'them by --images.'
        )
    return [found[i * len(found) // min(count, len(found))] for i in range(min(count, len(found)))]


def test_images(cfg) -> list[Path]:
    """Find the folder of a config's test images."""
    dataset = (cfg.get('test_dataloader') or {}).get('dataset') or {}
    prefix = dataset.get('data_prefix') or {}
    prefix = prefix.get('img', prefix.get('img_path', '')) if isinstance(prefix, dict) else prefix
    root = Path(dataset.get('data_root') or '', prefix)
    return [root] if root != Path() else []


def export(args: argparse.Namespace) -> None:
    """Export, compare and measure as the arguments say."""
    from mmengine.registry import MODELS

    from inrn_mm.deployment import make_exported
    from inrn_mm.deployment.description import describe
    from inrn_mm.deployment.writing import write_onnx
    from inrn_mm.engine.checkpoints.reading import digest_of, load_state, load_weights, plain_state
    from inrn_mm.engine.class_names import class_names
    from inrn_mm.engine.config_file import read_config
    from inrn_mm.utils.config_types import init_scope, student_config
    from inrn_mm.version import __version__
    from tools.deployment.comparing import check_equal, compare
    from tools.deployment.onnx_model import OnnxModel

    cfg = read_config(args.config, args.cfg_options)
    images = find_images(args.images or test_images(cfg), args.num_images)
    init_scope(cfg)
    settings = deepcopy(student_config(cfg.model))
    settings.setdefault('data_preprocessor', cfg.get('data_preprocessor'))
    model = MODELS.build(settings)
    checkpoint = load_state(args.checkpoint, allow_pickle=args.allow_pickle)
    load_weights(model, checkpoint, args.checkpoint, optional=('distill_losses.',))
    model.eval()
    meta = (checkpoint.get('meta') or {}).get('dataset_meta') or {}
    classes = meta.get('classes') or class_names(cfg) or []
    network = make_exported(deepcopy(model), args.dynamic).eval()
    description = describe(cfg, network, classes, args.size)
    size = description['pad']['size'] if 'pad' in description else description.get('crop')
    size = size or description['resize']['size'][::-1]
    description |= dict(
        config=Path(args.config).name,
        weights=digest_of(plain_state(checkpoint)),
        version=__version__,
    )
    print(f'{type(model).__name__}, images of {size[0]} x {size[1]}: tracing')
    draft = args.out.with_name(f'.{args.out.name}')
    try:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_onnx(network, draft, size, description, args.dynamic)
        exported = OnnxModel(draft)
        differences = compare(model, exported, images)
        worst = check_equal(differences, args.tolerance)
        print(f'equal to the network on {len(images)} images, at most {worst}')
        if args.check:
            measure(args.check, model, exported)
        draft.replace(args.out)
    finally:
        draft.unlink(missing_ok=True)
    print(
        f'{args.out}: {args.out.stat().st_size / 1e6:.1f} MB\n'
        f'python tools/deployment/predict.py {args.out} IMAGES --out pictures/'
    )


def measure(name: str, model, exported) -> None:
    """Print the metrics of a network and of its file on a validation set."""
    import torch
    from mmengine.evaluator import Evaluator
    from mmengine.registry import DATASETS
    from rich.progress import track

    from inrn_mm.engine.config_file import read_config
    from tools.deployment.comparing import predict_all

    cfg = read_config(name)
    dataset = DATASETS.build(cfg.val_dataloader.dataset)

    def evaluate(samples) -> dict:
        evaluator = Evaluator(cfg.val_evaluator)
        evaluator.dataset_meta = dataset.metainfo
        for sample in samples:
            evaluator.process([sample])
        return evaluator.evaluate(len(dataset))

    def predict():
        for item in track(dataset, 'network'):
            with torch.no_grad():
                yield model.test_step(
                    dict(inputs=[item['inputs']], data_samples=[item['data_samples']])
                )[0]

    first = evaluate(predict())
    second = evaluate(predict_all(exported, dataset, lambda x: track(x, 'file')))
    for key, value in first.items():
        print(f'{key}: network {value:.4f}, file {second[key]:.4f}')


def main() -> None:
    args = parse_args()
    # after parsing: these imports take seconds
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        export(args)


if __name__ == '__main__':
    sys.path.insert(0, str(ROOT))  # tools.*
    main()
