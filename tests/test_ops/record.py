"""Write what mmcv's compiled operators give, for machines that have none.

example: python tests/test_ops/record.py
"""

import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
RECORD = Path(__file__).with_name('compiled.npz')


def main() -> None:
    import mmcv._ext
    from cases import list_cases

    from inrn_mm.ops import find_operators

    if find_operators() != 'compiled':
        raise SystemExit('error: this environment has no compiled operators to record.')
    arrays = {}
    for name, call in list_cases():
        for key, value in call(mmcv._ext).items():
            arrays[f'{name}/{key}'] = value.numpy()
    np.savez_compressed(RECORD, **arrays)
    print(f'{len(arrays)} tensors in {RECORD.name}')


if __name__ == '__main__':
    main()
