#!/usr/bin/env bash
# Make a Python environment in which everything of this repository runs.
set -euo pipefail

usage() {
    cat <<'END'
usage: bash tools/setup_env.sh [options]

Makes .venv with torch, the OpenMMLab stack (with mmcv's compiled ops) and this
package in editable mode, checks that it works and prints the versions. A
second call takes seconds.

  --python PYTHON   interpreter to build on, 3.10 or newer (default: python3)
  --venv DIR        where to make the environment (default: .venv)
  --no-venv         use PYTHON's own environment, which must have a working
                    stack of either publisher; only this package is added
  --cuda | --cpu    build mmcv's ops with or without CUDA (default: with, if
                    there is an NVIDIA GPU)
  --wheel-dir DIR   folder with built mmcv wheels to try before building (also
                    the environment's INRN_WHEEL_DIR)
  --run ARGS...     afterwards run the environment's Python with ARGS, which is
                    all that follows
  -h, --help        this text

Built wheels are kept in .wheels/, one folder for each torch, Python and CUDA.

example: bash tools/setup_env.sh --python python3.11 --cpu
END
}

die() { echo "error: $*" >&2; exit 1; }
say() { echo "[setup] $*"; }

TORCH=2.11.0
TORCHVISION=0.26.0

python='' venv='' use_venv=1 device='' wheel_dir=${INRN_WHEEL_DIR:-} run=()
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
        --cuda | --cpu)
            [[ -z $device || $device == "${1#--}" ]] ||
                die '--cuda and --cpu exclude each other.'
            device=${1#--}
            ;;
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
    for python in python3 python3.13 python3.12 python3.11 python3.10 ''; do
        [[ -z $python ]] || ! new_enough "$python" || break
    done
    [[ -n $python ]] ||
        die 'no Python of 3.10 or newer was found (python3 is' \
            "$(python3 --version 2>&1 || true)): install one or name it with --python."
fi

explicit=$device
if [[ -z $device ]]; then
    device=cpu
    if [[ $(nvidia-smi -L 2>/dev/null) == *GPU* ]]; then
        device=cuda
    fi
fi

# --- steps ------------------------------------------------------------------
torch_has_gpu() { "$py" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; }

finish() { # check, show the versions, go on to what was asked for
    local where=$device
    if [[ $device == cuda ]] && ! torch_has_gpu; then
        say 'no GPU is visible: the ops are built for CUDA but run on the CPU here.'
        where=cpu
    fi
    "$py" -m inrn_mm.utils.collect_env --device "$where"
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
        tools/setup_env.sh tools/build_mmcv.py
    echo "$device $PWD"
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

say "installing torch $TORCH (some 4 GB with its CUDA libraries)"
install "torch==$TORCH" "torchvision==$TORCHVISION" 'setuptools>=80,<82' \
    wheel ninja psutil packaging
if [[ $device == cuda && -z $explicit ]]; then
    torch_has_gpu ||
        die "there is a GPU but torch $TORCH cannot use it" \
            "($("$py" -c 'import torch; print("CUDA", torch.version.cuda)')): update the" \
            'NVIDIA driver, or set up for the CPU with --cpu.'
fi

say 'installing the OpenMMLab stack'
# mmcv is left to build_mmcv.py: installed like the rest it has no ops.
list=$(mktemp)
trap 'rm -f "$log" "$list"' EXIT
cat requirements/{runtime,det,cls,fit,demo,vis,tests}.txt |
    grep -v -e '^-r' -e '^onedl-mmcv' >"$list"
install -r "$list" opencv-python-headless
# Two OpenCV wheels share the folder cv2, and removing one breaks the other.
# The one without windows needs no system libraries.
if [[ -n $(find "$venv"/lib/python3*/site-packages -maxdepth 1 \
    -name 'opencv_python-*.dist-info') ]]; then
    "$py" -m pip uninstall --quiet --yes opencv-python opencv-python-headless
    install --no-deps opencv-python-headless
fi

"$py" tools/build_mmcv.py --device "$device" ${wheel_dir:+--wheel-dir "$wheel_dir"}
add_package
say "done in $(((SECONDS - start) / 60)) min $(((SECONDS - start) % 60)) s;" \
    "activate it with: source ${venv#"$PWD"/}/bin/activate"
finish
