#!/usr/bin/env bash
# Make a Python environment in which everything of this repository runs.
set -euo pipefail

usage() {
    cat <<'END'
usage: bash tools/setup_env.sh [options]

Makes .venv with torch, the OpenMMLab stack and this package in editable mode,
checks that it works and prints the versions. Nothing is compiled: mmcv's
operators are torchvision's (see docs/operators.md), with or without a GPU. A
second call takes seconds.

  --python PYTHON   interpreter to build on, 3.10 or newer (default: python3)
  --venv DIR        where to make the environment (default: .venv)
  --no-venv         use PYTHON's own environment, which must have a working
                    stack of either publisher; only this package is added
  --cpu             go on if there is a GPU that torch cannot use
  --wheel-dir DIR   folder with wheels of mmcv with compiled operators: one that
                    runs is installed (also the environment's INRN_WHEEL_DIR)
  --run ARGS...     afterwards run the environment's Python with ARGS, which is
                    all that follows
  -h, --help        this text

The environment's INRN_TORCH_INDEX is the URL of another package index to take
torch and torchvision from: PyTorch's own for CPUs saves most of the download.

example: bash tools/setup_env.sh --python python3.11 --venv /opt/inrn
END
}

die() { echo "error: $*" >&2; exit 1; }
say() { echo "[setup] $*"; }


python='' venv='' use_venv=1 cpu=0 wheel_dir=${INRN_WHEEL_DIR:-} run=()
while (($#)); do
    case $1 in
        --python | --venv | --wheel-dir)
            [[ -n ${2:-} ]] || die "$1 needs a value; see --help."
            case $1 in
                --python) python=$2 ;;
                --venv) venv=$2 ;;
                *) wheel_dir=$2 ;;
            esac
            shift
            ;;
        --no-venv) use_venv=0 ;;
        --cpu) cpu=1 ;;
        --run)
            shift
            (($#)) || die '--run needs arguments; see --help.'
            run=("$@")
            break
            ;;
        -h | --help) usage; exit ;;
        *) die "unknown option '$1'; see --help." ;;
    esac
    shift
done
((use_venv)) || [[ -z $venv ]] || die '--venv and --no-venv exclude each other.'
[[ -z $wheel_dir || -d $wheel_dir ]] ||
    die "the wheel folder '$wheel_dir' does not exist."
# Paths given are relative to where the user is; the rest is to the repository.
[[ -z $wheel_dir ]] || wheel_dir=$(cd "$wheel_dir" && pwd)
[[ $python != */* || ! -x $python ]] ||
    python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
if [[ -n $venv ]]; then
    mkdir -p "$venv" || die "the folder '$venv' cannot be made."
    venv=$(cd "$venv" && pwd)
fi
cd "$(dirname "${BASH_SOURCE[0]}")/.."
venv=${venv:-$PWD/.venv}

# --- what the machine has ---------------------------------------------------
new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }
if [[ -n $python ]]; then
    command -v "$python" >/dev/null ||
        die "there is no '$python'; name an interpreter with --python."
    new_enough "$python" ||
        die "$("$python" --version 2>&1) is too old: 3.10 or newer is needed;" \
            'name another with --python.'
    if ((use_venv)) && [[ -x $venv/bin/python ]]; then
        version='import sys; print("%d.%d" % sys.version_info[:2])'
        [[ $("$python" -c "$version") == $("$venv/bin/python" -c "$version") ]] ||
            die "$venv is made with another Python than $python: delete it or" \
                'name another folder with --venv.'
    fi
else
    for python in python3 python3.14 python3.13 python3.12 python3.11 python3.10 ''; do
        [[ -z $python ]] || ! new_enough "$python" || break
    done
    [[ -n $python ]] ||
        die 'no Python of 3.10 or newer was found (python3 is' \
            "$(python3 --version 2>&1 || true)): install one or name it with --python."
fi

# --- steps ------------------------------------------------------------------
check_gpu() { # a GPU that torch cannot use is better told now
    [[ $cpu == 0 && $(nvidia-smi -L 2>/dev/null) == *GPU* ]] || return 0
    "$py" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' ||
        die "there is a GPU but torch cannot use it" \
            "($("$py" -c 'import torch; print(torch.__version__)')): update the NVIDIA driver," \
            'or go on without it by --cpu.'
}

finish() { # check, show the versions, go on to what was asked for
    "$py" -m inrn_mm.utils.collect_env
    ((use_venv == 0)) || echo "$wanted" >"$stamp"
    ((${#run[@]})) || return 0
    exec 9>&- "$py" "${run[@]}"
}

add_package() { # in editable mode, without touching anything that is there
    local find="import importlib.util as u; s = u.find_spec('inrn_mm')
print(s.origin if s else '')"
    if [[ $(cd / && "$py" -c "$find") == "$PWD/inrn_mm/__init__.py" ]]; then return; fi
    say 'adding this package in editable mode'
    # Its build needs setuptools, taken from the environment where it has one:
    # otherwise pip fetches one for the build alone.
    local isolation=() builds='import setuptools
assert int(setuptools.__version__.split(".")[0]) > 70 or __import__("wheel")'
    "$py" -c "$builds" 2>/dev/null && isolation=(--no-build-isolation)
    if "$py" -m pip --version >/dev/null 2>&1; then
        "$py" -m pip install --quiet --disable-pip-version-check --no-deps \
            --root-user-action=ignore ${isolation[@]+"${isolation[@]}"} --editable .
    elif command -v uv >/dev/null; then
        uv pip install --quiet --python "$py" --no-deps \
            ${isolation[@]+"${isolation[@]}"} --editable .
    else
        die "$py has no pip to add this package with: install it (python -m ensurepip)."
    fi || die 'this package could not be added (messages above).'
}

if ((!use_venv)); then
    py=$(command -v "$python")
    for name in torch mmengine mmcv; do
        "$py" -c "import $name" 2>/dev/null ||
            die "$py cannot import $name: with --no-venv a working stack must be" \
                'there; without it, one is installed into .venv.'
    done
    add_package
    finish
    exit
fi

py=$venv/bin/python
stamp=$venv/.inrn_mm
mkdir -p "$venv"
# Two calls at once (tests and demo, say) take turns.
if command -v flock >/dev/null; then
    exec 9<"$venv"
    flock 9
fi
wanted=$({
    cat requirements.txt requirements/*.txt pyproject.toml setup.py \
        tools/setup_env.sh
    echo "$wheel_dir ${INRN_TORCH_INDEX:-} $PWD"
} | sha256sum)
if [[ -x $py && -f $stamp && $(<"$stamp") == "$wanted" ]]; then
    say "$venv is up to date."
    finish
    exit
fi

start=$SECONDS
if ! "$py" -m pip --version >/dev/null 2>&1; then
    free=$(df -Pk "$venv" | awk 'NR == 2 {print int($4 / 1048576)}')
    ((free >= 8)) ||
        die "only $free GB are free in $venv; the environment needs 8 GB: free" \
            'some or name another folder with --venv.'
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        die "$python has no venv module: install it (Debian: apt-get install python3-venv)."
    say "making $venv with $("$python" --version)"
    "$python" -m venv "$venv" || die "$venv could not be made."
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
pip_install() { # quietly; what it said is in $log
    "$py" -m pip install --quiet --disable-pip-version-check --retries 2 \
        --root-user-action=ignore "$@" >"$log" 2>&1
}
uv=$venv/bin/uv
if [[ ! -x $uv ]]; then
    pip_install uv || say 'uv is not to be had; going on with pip, which is slower.'
fi
# uv does not read pip's settings; where packages come from is one for both.
if [[ -z ${UV_INDEX_URL:-}${UV_DEFAULT_INDEX:-} ]]; then
    index=${PIP_INDEX_URL:-$("$py" -m pip config get global.index-url 2>/dev/null || true)}
    [[ -z $index ]] || export UV_DEFAULT_INDEX=$index
fi
install() { # one or more packages, in the versions of the lock
    if [[ -x $uv ]]; then
        "$uv" pip install --quiet --python "$py" \
            --override requirements/overrides.txt \
            --constraint requirements/constraints.txt "$@" && return
        say 'uv did not succeed (messages above); trying pip.'
    fi
    pip_install --constraint requirements/constraints.txt "$@" && return
    ! grep -qi -e 'retrying' -e 'connection' "$log" ||
        die 'the package index cannot be reached: check the network (packages' \
            'come from where pip is configured to look).'
    cat "$log" >&2
    die 'a package could not be installed (messages above).'
}

# Nothing is compiled here, whatever the user's environment says of mmcv.
export MMCV_WITH_OPS=0
if [[ -n ${INRN_TORCH_INDEX:-} ]]; then
    say "installing torch and torchvision from $INRN_TORCH_INDEX, then some" \
        '0.4 GB of other packages'
    pip_install --no-deps --index-url "$INRN_TORCH_INDEX" \
        --constraint requirements/constraints.txt torch torchvision || {
        cat "$log" >&2
        die "torch and torchvision could not be installed from" \
            "INRN_TORCH_INDEX=$INRN_TORCH_INDEX (messages above)."
    }
else
    say "installing torch and the OpenMMLab stack: up to 3.3 GB to download, 2.9 of them" \
        'torch with its CUDA libraries'
fi
list=$(mktemp)
trap 'rm -f "$log" "$list"' EXIT
cat requirements/{runtime,det,cls,fit,demo,vis,tests}.txt | grep -v '^-r' >"$list"
install -r "$list" 'setuptools>=80,<82' wheel opencv-python-headless
# Two OpenCV wheels share the folder cv2, and removing one breaks the other.
# The one without windows needs no system libraries.
if [[ -n $(find "$venv"/lib/python3*/site-packages -maxdepth 1 \
    -name 'opencv_python-*.dist-info') ]]; then
    "$py" -m pip uninstall --quiet --yes opencv-python opencv-python-headless
    install --no-deps opencv-python-headless
fi

check_gpu
add_package
has_compiled() { compgen -G "$venv/lib/python3*/site-packages/mmcv/_ext.*.so" >/dev/null; }
runs_compiled() { INRN_MMCV_OPS=compiled "$py" -m inrn_mm.ops show >/dev/null 2>&1; }
remove_mmcv() { "$py" -m pip uninstall --quiet --yes --root-user-action=ignore onedl-mmcv; }
if has_compiled && ! runs_compiled; then # of another torch
    remove_mmcv
    install --no-deps onedl-mmcv
fi
for wheel in "$wheel_dir"/onedl_mmcv-*.whl "$wheel_dir"/*/onedl_mmcv-*.whl; do
    [[ -n $wheel_dir && -f $wheel ]] && ! has_compiled || continue
    if pip_install --no-deps --no-index --force-reinstall "$wheel" && runs_compiled; then
        say "using the compiled operators of $wheel"
    else
        say "not using $wheel: its operators do not run here"
        remove_mmcv
        install --no-deps onedl-mmcv
    fi
done
# For programs that import mmdet before anything of this package. Run as a file,
# since the package's own import takes seconds.
has_compiled || "$py" inrn_mm/ops/__main__.py install >/dev/null
say "done in $(((SECONDS - start) / 60)) min $(((SECONDS - start) % 60)) s;" \
    "activate it with: source ${venv#"$PWD"/}/bin/activate"
finish
