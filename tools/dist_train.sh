#!/usr/bin/env bash
# Train on several GPUs, or on several CPU processes of a machine without.
#   bash tools/dist_train.sh CONFIG GPUS [arguments of train.py]
# On several machines, run it on each with NNODES, NODE_RANK (0, 1, ...),
# MASTER_ADDR (of node 0) and PORT set; GPUS is the number per machine.
set -euo pipefail
. "$(dirname "$0")/dist_run.sh"
[ $# -ge 2 ] || usage
dist_run "$2" "$TOOLS/train.py" "$1" "${@:3}"
