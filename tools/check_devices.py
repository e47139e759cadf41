"""For dist_train.sh and dist_test.sh: are there devices for N processes?

Prints a free port; if not, one sentence on stderr and exit code 2.
"""

import argparse
import sys


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('processes', type=int, metavar='GPUS')
    args = parser.parse_args()

    from inrn_mm.engine.devices import check_devices, free_port
    from inrn_mm.utils.user_error import user_errors

    with user_errors():
        if check_devices(args.processes) == 'cpu':
            print(f'no GPU here: starting {args.processes} CPU processes', file=sys.stderr)
    print(free_port())


if __name__ == '__main__':
    main()
