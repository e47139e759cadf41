#!/usr/bin/env bash
# Make a Python environment in which everything of this repository runs.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
    cat <<'EOF'
usage: bash tools/setup_env.sh [options]

Makes .venv with torch, the OpenMMLab stack (with mmcv's compiled ops) and this
package in editable mode, and checks that it works. A second call takes
seconds.

  --python PYTHON   interpreter to build on, 3.10 or newer (default: python3)
  --venv DIR        where to make the environment (default: .venv)
  --no-venv         use PYTHON's own environment, which must already have a
                    working stack; only this package is added to it
  --cuda | --cpu    build mmcv's ops with or without CUDA (default: with, if
                    there is an NVIDIA GPU)
  --wheel-dir DIR   folder with built mmcv wheels to try first (also the
                    environment's INRN_WHEEL_DIR)
  -h, --help        this text

Built wheels are kept in .wheels/, one folder for each torch, Python and CUDA.

example: bash tools/setup_env.sh --python python3.11 --cpu
EOF
}

die() { echo "error: $*" >&2; exit 1; }
say() { echo "[setup] $*"; }

TORCH=2.11.0
TORCHVISION=0.26.0
MMCV=2.3.6

python=python3 venv=.venv use_venv=1 device='' wheel_dir=${INRN_WHEEL_DIR:-}
while (($#)); do
    case $1 in
        --python | --venv | --wheel-dir)
            (($# > 1)) || die "$1 needs a value; see --help."
            case $1 in
                --python) python=$2 ;;
                --venv) venv=$2 ;;
                *) wheel_dir=$2 ;;
            esac
            shift
            ;;
        --no-venv) use_venv=0 ;;
        --cuda | --cpu) device=${1#--} ;;
        -h | --help) usage; exit ;;
        *) die "unknown option '$1'; see --help." ;;
    esac
    shift
done
[[ -z $wheel_dir || -d $wheel_dir ]] ||
    die "the wheel folder '$wheel_dir' does not exist."

command -v "$python" >/dev/null ||
    die "there is no '$python'; name an interpreter with --python."
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
    die "$("$python" --version 2>&1) is too old: 3.10 or newer is needed; name another with --python."

has_gpu() { command -v nvidia-smi >/dev/null && nvidia-smi -L >/dev/null 2>&1; }
if [[ -z $device ]]; then
    if has_gpu; then device=cuda; else device=cpu; fi
fi

add_package() { # into the environment of $py, without touching the stack
    "$py" -m pip install --quiet --disable-pip-version-check \
        --no-deps --no-build-isolation --editable . 2>&1 |
        { grep -v -e 'WARNING: Location' -e 'root user' || true; }
    "$py" -c 'import inrn_mm' || die 'this package cannot be imported.'
}

if ((!use_venv)); then
    py=$(command -v "$python")
    for name in torch mmengine mmcv mmdet mmpretrain; do
        "$py" -c "import $name" 2>/dev/null ||
            die "$py cannot import $name: with --no-venv the stack must be there; leave the option out to have it installed into .venv."
    done
    "$py" -c 'import setuptools' 2>/dev/null ||
        die "$py has no setuptools, which adding this package needs: install it."
    add_package
    "$py" -m inrn_mm.utils.collect_env --device "$device"
    exit
fi

py=$venv/bin/python
stamp=$venv/.inrn_mm
wanted=$({ cat requirements.txt requirements/*.txt setup.py tools/setup_env.sh
    echo "$device"; } | sha256sum)
if [[ -x $py && -f $stamp && $(<"$stamp") == "$wanted" ]]; then
    say "$venv is up to date."
    exec "$py" -m inrn_mm.utils.collect_env --device "$device"
fi

# --- the environment -------------------------------------------------------
start=$SECONDS
if [[ ! -x $py ]]; then
    free=$(df -Pk . | awk 'NR == 2 {print int($4 / 1048576)}')
    ((free >= 8)) || die "only $free GB are free here; the environment needs 8 GB."
    "$python" -c 'import venv, ensurepip' 2>/dev/null ||
        die "$python has no venv module; install it (Debian: apt-get install python3-venv)."
    say "making $venv"
    "$python" -m venv "$venv"
fi
if [[ ! -x $venv/bin/uv ]]; then
    "$py" -m pip install --quiet --disable-pip-version-check uv 2>/dev/null ||
        say 'no uv to be had; going on with pip, which is slower.'
fi
install() {
    if [[ -x $venv/bin/uv ]]; then
        "$venv/bin/uv" pip install --quiet --python "$py" "$@"
    else
        "$py" -m pip install --quiet --disable-pip-version-check "$@"
    fi || die 'a package could not be installed; is the package index reachable? (messages above)'
}
# The lock holds for the Python it was made with; numpy's newest, for example,
# has left 3.10 behind.
lock=()
"$py" -c 'import sys; sys.exit(sys.version_info < (3, 11))' &&
    lock=(--constraint requirements/constraints.txt)

say "installing torch $TORCH (some 4 GB, CUDA libraries included)"
install "torch==$TORCH" "torchvision==$TORCHVISION" ${lock[@]+"${lock[@]}"}
install 'setuptools>=80,<82' wheel ninja psutil packaging
# what mmcv needs to be imported, for trying its wheels
install 'onedl-mmengine>=0.10.12' opencv-python-headless ${lock[@]+"${lock[@]}"}

# --- mmcv and its compiled ops --------------------------------------------
tag=$("$py" - "$device" <<'EOF'
import sys
import torch
cuda = torch.version.cuda if sys.argv[1] == 'cuda' else None
print('torch{}-cp{}{}-{}'.format(
    torch.__version__.split('+')[0], *sys.version_info[:2],
    'cu' + cuda.replace('.', '') if cuda else 'cpu'))
EOF
)
kept=.wheels/$tag

ops_run() {
    "$py" - "$device" 2>/dev/null <<'EOF'
import importlib.util, sys
spec = importlib.util.spec_from_file_location(
    'collect_env', 'inrn_mm/utils/collect_env.py')
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
module.check_ops(sys.argv[1])
EOF
}

try_wheel() { # install a wheel and keep it only if its ops run
    say "trying $1"
    install --no-deps --reinstall "$1" 2>/dev/null && ops_run && return
    say 'its ops do not run here: not used.'
    return 1
}

build_mmcv() {
    command -v gcc >/dev/null && command -v g++ >/dev/null ||
        die 'building mmcv needs gcc and g++ (Debian: apt-get install g++).'
    local force=0
    if [[ $device == cuda ]]; then
        force=1
        local nvcc=${CUDA_HOME:-/usr/local/cuda}/bin/nvcc
        [[ -x $nvcc ]] || nvcc=$(command -v nvcc || true)
        [[ -n $nvcc ]] ||
            die 'there is a GPU but no nvcc, so the ops cannot be built for it: install the CUDA toolkit and set CUDA_HOME, give --wheel-dir with a wheel built for CUDA, or set up for the CPU with --cpu.'
        local have need
        have=$("$nvcc" --version | sed -n 's/.*release \([0-9]*\)\..*/\1/p')
        need=$("$py" -c 'import torch; print(torch.version.cuda.split(".")[0])')
        [[ $have == "$need" ]] ||
            die "nvcc is of CUDA $have but torch is of CUDA $need: point CUDA_HOME to a CUDA $need toolkit, or set up for the CPU with --cpu."
        export TORCH_CUDA_ARCH_LIST=${TORCH_CUDA_ARCH_LIST:-$("$py" -c 'import torch; print(";".join(sorted({"%d.%d" % torch.cuda.get_device_capability(i) for i in range(torch.cuda.device_count())})) or "7.0;8.0;9.0")')}
    fi
    local work jobs log
    work=$(mktemp -d)
    log=$work/build.log
    jobs=$(nproc)
    say "building mmcv $MMCV with $jobs jobs; on 2 cores this takes 10 to 20 minutes"
    # $venv/bin holds ninja
    PATH="$(cd "$venv/bin" && pwd):$PATH" TMPDIR=$work MMCV_WITH_OPS=1 \
        FORCE_CUDA=$force MAX_JOBS=$jobs "$py" -m pip wheel --no-cache-dir \
        --disable-pip-version-check --no-build-isolation --no-deps \
        --wheel-dir "$work/out" "onedl-mmcv==$MMCV" >"$log" 2>&1 &
    local pid=$! began=$SECONDS last=0
    while kill -0 $pid 2>/dev/null; do
        sleep 1
        if ((SECONDS - last >= 15)); then
            last=$SECONDS
            local total objects
            total=$(find "$work" -path '*csrc/pytorch*' \( -name '*.cpp' -o -name '*.cu' \) 2>/dev/null | wc -l)
            [[ $device == cuda ]] || total=$(find "$work" -path '*csrc/pytorch*' -name '*.cpp' 2>/dev/null | grep -vc -e /npu/ -e /mlu/ -e /mps/ -e /musa/ -e /cuda/ || true)
            objects=$(find "$work" -name '*.o' 2>/dev/null | wc -l)
            printf '[setup]   %3d min %02d s: %d of about %d files compiled\n' \
                $(((SECONDS - began) / 60)) $(((SECONDS - began) % 60)) \
                "$objects" "$total"
        fi
    done
    if ! wait $pid; then
        tail -n 20 "$log" >&2
        die "building mmcv failed (whole log: $log)."
    fi
    # without debug symbols the wheel is a twentieth of its size
    if command -v strip >/dev/null; then
        "$py" -m wheel unpack --dest "$work/tree" "$work"/out/*.whl >/dev/null
        find "$work/tree" -name '*.so' -exec strip --strip-debug {} +
        rm "$work"/out/*.whl
        "$py" -m wheel pack --dest-dir "$work/out" "$work"/tree/* >/dev/null
    fi
    mkdir -p "$kept"
    mv "$work"/out/*.whl "$kept/"
    rm -rf "$work"
    say "built in $(((SECONDS - began) / 60)) min; kept in $kept"
}

if ! ops_run; then
    ready=0
    for wheel in "$kept"/*.whl ${wheel_dir:+"$wheel_dir"/*.whl} \
        ${wheel_dir:+"$wheel_dir"/"$tag"/*.whl}; do
        # a wheel of another Python is no candidate; of another torch, its
        # ops do not run
        [[ -f $wheel && $wheel == *mmcv-"$MMCV"-"$("$py" -c 'import sys; print("cp%d%d" % sys.version_info[:2])')"-* ]] || continue
        if try_wheel "$wheel"; then ready=1; break; fi
    done
    if ((!ready)); then
        build_mmcv
        try_wheel "$kept"/*mmcv-"$MMCV"-*.whl ||
            die "the mmcv just built does not run; please report it with the output above."
    fi
fi

# --- the rest ---------------------------------------------------------------
say 'installing the OpenMMLab stack'
install -r requirements.txt ${lock[@]+"${lock[@]}"}
# Two OpenCV wheels share the folder cv2; the one without a display needs no
# system libraries.
if "$py" -m pip show --quiet opencv-python >/dev/null 2>&1; then
    "$py" -m pip uninstall --quiet --yes opencv-python opencv-python-headless 2>/dev/null
    install --no-deps opencv-python-headless ${lock[@]+"${lock[@]}"}
fi
add_package
"$py" -m inrn_mm.utils.collect_env --device "$device"
echo "$wanted" >"$stamp"
say "done in $(((SECONDS - start) / 60)) min $(((SECONDS - start) % 60)) s; activate it with: source $venv/bin/activate"
