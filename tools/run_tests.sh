#!/usr/bin/env bash
# Set the environment up and run the tests.
#
# usage: bash tools/run_tests.sh [PYTEST ARGUMENTS]
# example: bash tools/run_tests.sh tests/test_backbones -k frozen
#
# The environment's INRN_SETUP holds options for tools/setup_env.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed 1d
    exit
fi
# shellcheck disable=SC2086
bash tools/setup_env.sh ${INRN_SETUP:-}
exec env MPLBACKEND=Agg .venv/bin/python -m pytest "$@"
