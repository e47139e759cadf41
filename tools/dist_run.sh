# Sourced by dist_*.sh and slurm_*.sh: where things are and how to start them.
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=${PYTHON:-python}
export PYTHONPATH="$(dirname "$TOOLS")${PYTHONPATH:+:$PYTHONPATH}"

usage() {  # print the comment at the top of the calling script
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

dist_run() {  # GPUS SCRIPT [ARGUMENTS]
    local gpus=$1 port
    shift
    # fewer GPUs than asked for: one sentence before anything starts
    port=$("$PYTHON" "$TOOLS/check_devices.py" "$gpus") || exit $?
    if [ "${NNODES:-1}" -gt 1 ]; then
        port=29500  # the nodes have to agree on one
    fi
    exec "$PYTHON" "$TOOLS/dist_run.py" \
        --nnodes="${NNODES:-1}" --node-rank="${NODE_RANK:-0}" \
        --master-addr="${MASTER_ADDR:-127.0.0.1}" \
        --master-port="${PORT:-$port}" --nproc-per-node="$gpus" \
        "$@" --launcher pytorch
}

slurm_run() {  # PARTITION JOB_NAME SCRIPT [ARGUMENTS]
    local partition=$1 job=$2 per_node=${GPUS_PER_NODE:-8}
    shift 2
    # SRUN_ARGS unquoted: it holds several arguments
    exec srun -p "$partition" --job-name="$job" \
        --gres="gpu:$per_node" --ntasks="${GPUS:-8}" \
        --ntasks-per-node="$per_node" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 ${SRUN_ARGS:-} \
        "$PYTHON" -u "$@" --launcher slurm
}
