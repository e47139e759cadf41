#!/usr/bin/env bash
# Train with Slurm.
#   bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments]
# GPUS (all together, 8), GPUS_PER_NODE (8), CPUS_PER_TASK (5), SRUN_ARGS
set -euo pipefail
. "$(dirname "$0")/dist_run.sh"
[ $# -ge 4 ] || usage
slurm_run "$1" "$2" "$TOOLS/train.py" "$3" --work-dir "$4" "${@:5}"
