"""The versions in use, and whether they work together.

``python -m inrn_mm.utils.collect_env`` prints the table for a bug report.
"""
import argparse
import importlib
import platform
from typing import Dict

PACKAGES = ('torch', 'torchvision', 'numpy', 'cv2', 'mmengine', 'mmcv',
            'mmdet', 'mmpretrain', 'pycocotools', 'inrn_mm')


def collect_env() -> Dict[str, str]:
    """Versions of what the package runs on.

    Returns:
        dict[str, str]: Name to version; ``'missing (why)'`` for a package that
        cannot be imported.
    """
    from mmengine.utils.dl_utils import collect_env as collect_base_env
    base = collect_base_env()
    env = {'system': platform.platform(), 'Python': platform.python_version()}
    for name in PACKAGES:
        try:
            module = importlib.import_module(name)
            env[name] = getattr(module, '__version__', 'present')
        except Exception as error:  # a broken install raises anything
            env[name] = f'missing ({str(error).splitlines()[0][:80]})'
    env['GPU'] = next(
        (v for k, v in base.items() if k.startswith('GPU ')), 'none')
    env['compiler'] = base.get('GCC', 'none')
    return env


def check_ops(device: str = 'cpu') -> None:
    """Run what every detector needs of mmcv's compiled ops.

    Args:
        device (str): ``'cpu'`` or ``'cuda'``: where training will run.
            Defaults to ``'cpu'``.

    Raises:
        RuntimeError: If NMS or RoIAlign (forward and backward) fail there.
    """
    import torch
    try:
        from mmcv.ops import RoIAlign, nms
        boxes = torch.tensor([[0., 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]],
                             device=device)
        _, kept = nms(boxes, torch.tensor([.9, .8, .7], device=device), 0.5)
        maps = torch.rand(1, 2, 8, 8, device=device, requires_grad=True)
        rois = torch.tensor([[0., 0, 0, 4, 4]], device=device)
        RoIAlign(2)(maps, rois).sum().backward()
    except Exception as error:
        raise RuntimeError(
            f"mmcv's compiled ops do not run on {device} ({error}): build "
            'them for this torch with `bash tools/setup_env.sh`.') from error
    if kept.tolist() != [0, 2] or not maps.grad.any():
        raise RuntimeError(
            f"mmcv's compiled ops give wrong results on {device}: rebuild "
            'them for this torch with `bash tools/setup_env.sh`.')


def main() -> None:
    parser = argparse.ArgumentParser(
        description='Print the versions in use and check the compiled ops.',
        epilog='example: python -m inrn_mm.utils.collect_env --device cpu')
    parser.add_argument(
        '--device',
        choices=['cpu', 'cuda'],
        help='where to run the ops (default: a GPU if torch sees one)')
    args = parser.parse_args()
    env = collect_env()
    width = max(map(len, env))
    for name, version in env.items():
        print(f'{name:<{width}}  {version}')
    missing = [k for k, v in env.items() if v.startswith('missing')]
    if missing:
        raise SystemExit(f"error: cannot import {', '.join(missing)}: run "
                         '`bash tools/setup_env.sh`.')
    import torch
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        check_ops(device)
    except RuntimeError as error:
        raise SystemExit(f'error: {error}') from None
    print(f"{'mmcv ops':<{width}}  NMS and RoIAlign run on {device}")


if __name__ == '__main__':
    main()
