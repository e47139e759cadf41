#!/usr/bin/env bash
# Set the environment up and run the demo; the options are those of
# tools/demo.py (see --help).
#
# example: bash tools/demo.sh --quick
#
# The environment's INRN_SETUP holds options for tools/setup_env.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
for option in "$@"; do
    if [[ $option == -h || $option == --help ]]; then
        exec python3 tools/demo.py --help # nothing to install for that
    fi
done
export MPLBACKEND=Agg
# shellcheck disable=SC2086
exec bash tools/setup_env.sh ${INRN_SETUP:-} --run tools/demo.py "$@"
