#!/usr/bin/env bash
# Set the environment up and run the tests.
#
# usage: bash tools/run_tests.sh [PYTEST ARGUMENTS]
# example: bash tools/run_tests.sh tests/test_backbones -k frozen
#
# The environment's INRN_SETUP holds options for tools/setup_env.sh, such as
# '--no-venv' or '--venv DIR'.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
if [[ ${1:-} == -h || ${1:-} == --help ]]; then
    sed -n 's/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit
fi
# The nets of the tests are too small for threads to pay, and sums of one
# thread are the same in every run: a resumed training can be compared exactly.
export MPLBACKEND=Agg OMP_NUM_THREADS=1
# Two workers, each with whole files: modules share what they have trained.
# shellcheck disable=SC2086
exec bash tools/setup_env.sh ${INRN_SETUP:-} --run -m pytest -n 2 --dist loadfile "$@"
