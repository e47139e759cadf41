#!/usr/bin/env bash
# Test on several GPUs, or on several CPU processes of a machine without.
#   bash tools/dist_test.sh CONFIG CHECKPOINT GPUS [arguments of test.py]
# On several machines: NNODES, NODE_RANK, MASTER_ADDR, PORT as in dist_train.sh
set -euo pipefail
. "$(dirname "$0")/dist_run.sh"
[ $# -ge 3 ] || usage
dist_run "$3" "$TOOLS/test.py" "$1" "$2" "${@:4}"
