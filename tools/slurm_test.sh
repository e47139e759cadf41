#!/usr/bin/env bash
# Test with Slurm.
#   bash tools/slurm_test.sh PARTITION JOB_NAME CONFIG CHECKPOINT [arguments]
# GPUS (all together, 8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), SRUN_ARGS
set -euo pipefail
. "$(dirname "$0")/dist_run.sh"
[ $# -ge 4 ] || usage
slurm_run "$1" "$2" "$TOOLS/test.py" "$3" "$4" "${@:5}"
