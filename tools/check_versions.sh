#!/usr/bin/env bash
# Run the quick tests with other versions; the options are those of
# tools/check_versions.py (see --help).
#
# example: bash tools/check_versions.sh --only 'newest-*'
#
# It needs uv: on the PATH, or as tools/setup_env.sh leaves it in .venv.
set -euo pipefail
exec "${PYTHON:-python3}" "$(dirname "${BASH_SOURCE[0]}")/check_versions.py" "$@"
