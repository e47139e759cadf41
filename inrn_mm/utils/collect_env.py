"""The versions in use, and whether they work together.

``python -m inrn_mm.utils.collect_env`` prints the table for a bug report.
"""

import argparse
import importlib
import importlib.metadata
import platform

from ..ops.finder import describe_operators

NEEDED = ('torch', 'numpy', 'cv2', 'mmengine', 'mmcv', 'inrn_mm')
# A machine that only classifies needs no mmdet, one that only detects no
# mmpretrain.
OPTIONAL = ('torchvision', 'mmdet', 'mmpretrain', 'pycocotools')


def collect_env() -> dict[str, str]:
    """Collect the versions of what the package runs on.

    The mm stack comes from two publishers under the same import names, and
    OpenCV in several wheels, so the distributions are named as well.

    Returns:
        dict[str, str]: Name to version; ``'missing'`` for an optional package
        that is not installed, ``'broken (why)'`` for one that cannot be
        imported.
    """
    from mmengine.utils.dl_utils import collect_env as collect_base_env

    base = collect_base_env()
    distributions = importlib.metadata.packages_distributions()
    env = {'system': platform.platform(), 'Python': platform.python_version()}
    for name in NEEDED + OPTIONAL:
        try:
            module = importlib.import_module(name)
        except Exception as error:  # a broken install raises anything
            absent = isinstance(error, ModuleNotFoundError) and error.name == name
            reason = (str(error).splitlines() or [repr(error)])[0][:200]
            env[name] = 'missing' if absent else f'broken ({reason})'
            continue
        wheels = sorted(set(distributions.get(name, ())))
        version = getattr(module, '__version__', None)
        if version is None:
            version = importlib.metadata.version(wheels[0]) if wheels else '?'
        others = [w for w in wheels if w.replace('-', '_') != name]
        env[name] = version + (f' ({", ".join(others)})' if others else '')
        if len(wheels) > 1:  # removing or upgrading one breaks the other
            env[name] += ': keep one, they share a folder'
    env['GPU'] = ', '.join(v for k, v in base.items() if k.startswith('GPU ')) or 'none'
    for name in ('NVCC', 'GCC'):
        env[name] = base.get(name, 'none')
    return env


def problems(env: dict[str, str]) -> list[str]:
    """List what keeps the package from running, one sentence each.

    Args:
        env (dict[str, str]): As of :func:`collect_env`.

    Returns:
        list[str]: Empty if all is well.
    """
    return [
        f'{name} is {version}'
        for name, version in env.items()
        if version.startswith('broken') or (version == 'missing' and name in NEEDED)
    ]


def check_ops(device: str = 'cpu') -> None:
    """Run what every detector needs of mmcv's operators.

    Args:
        device (str): ``'cpu'`` or ``'cuda'``: where training will run.
            Defaults to ``'cpu'``.

    Raises:
        RuntimeError: If NMS or RoIAlign (forward and backward) fail there.
    """
    import torch

    try:
        from mmcv.ops import RoIAlign, nms

        boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 4, 5], [8, 8, 9, 9]], device=device)
        _, kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7], device=device), 0.5)
        maps = torch.rand(1, 2, 8, 8, device=device, requires_grad=True)
        rois = torch.tensor([[0.0, 0, 0, 4, 4]], device=device)
        RoIAlign(2)(maps, rois).sum().backward()
    except Exception as error:
        raise RuntimeError(
            f"mmcv's operators do not run on {device} ({error}): take torchvision's, by the "
            "environment's INRN_MMCV_OPS=torchvision."
        ) from error
    if kept.tolist() != [0, 2] or not maps.grad.any():
        raise RuntimeError(
            f"mmcv's operators give wrong results on {device}: take torchvision's, by the "
            "environment's INRN_MMCV_OPS=torchvision."
        )


def main() -> None:
    """Print the versions and check the operators, from the command line.

    Raises:
        SystemExit: If versions do not fit together, or the operators do not
            run.
    """
    parser = argparse.ArgumentParser(
        description="Print the versions in use and check mmcv's operators.",
        epilog='example: python -m inrn_mm.utils.collect_env --device cpu',
    )
    parser.add_argument(
        '--device',
        choices=['cpu', 'cuda'],
        help='where to run the operators (default: a GPU if torch sees one)',
    )
    args = parser.parse_args()
    env = collect_env()
    wrong = problems(env)
    width = max(map(len, env))
    for name, version in env.items():
        print(f'{name:<{width}}  {version}')
    if wrong:
        raise SystemExit(f'error: {"; ".join(wrong)}: run `bash tools/setup_env.sh`.')
    import torch

    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    try:
        check_ops(device)
    except RuntimeError as error:
        raise SystemExit(f'error: {error}') from None
    print(f'{"operators":<{width}}  {describe_operators()}, NMS and RoIAlign run on {device}')


if __name__ == '__main__':
    main()
