"""torch.distributed.run without its summary of processes that told a user's error.

The tools say what the user did wrong and end with code 2; the launcher's
traceback would hide that. Of every other failure its summary is shown. The
arguments are those of torch.distributed.run.
"""

import logging
import os
import sys

from torch.distributed import run
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

USER_ERROR = 2
# logs what the summary has, too
LOGGER = 'torch.distributed.elastic.multiprocessing.api'


def main() -> None:
    if 'LOGLEVEL' not in os.environ:  # torch's variable
        logging.getLogger(LOGGER).setLevel(logging.CRITICAL)
    try:
        run.main()
    except ChildFailedError as error:
        code = error.get_first_failure()[1].exitcode
        if code != USER_ERROR:
            print(error, file=sys.stderr)
        sys.exit(code if code > 0 else 128 - code)  # as shells count signals


if __name__ == '__main__':
    main()
