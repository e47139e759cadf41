"""Give an environment an mmcv whose compiled ops run.

The registry has mmcv's ops as source only. In this order: what is installed is
kept if its ops run; else a wheel kept from an earlier build is installed; else
one from ``--wheel-dir``; else the ops are built, which takes ten minutes or
more. No wheel is installed before its ops have run on the device.

Built wheels are kept under ``--kept``, one folder for each torch, Python,
processor and CUDA: pip's own cache does not tell them apart, and ops built for
another torch do not load, or crash.
"""

import argparse
import contextlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DISTRIBUTION = 'onedl-mmcv'
VERSION = '2.3.6'

# Headers that torch's own headers include, beyond the bare compiler.
CUDA_HEADERS = ('cuda_runtime.h', 'cublas_v2.h', 'cusparse.h', 'cusolverDn.h')

# Without a visible GPU a build for CUDA is checked as far as it goes.
CHECK_OPS = """
import sys, torch
from inrn_mm.utils.collect_env import check_ops
from mmcv.ops import get_compiling_cuda_version
device = sys.argv[1]
if device == 'cuda':
    if get_compiling_cuda_version() == 'not available':
        raise SystemExit('the ops were built without CUDA')
    if not torch.cuda.is_available():
        device = 'cpu'
check_ops(device)
"""


class BuildError(RuntimeError):
    """The ops cannot be built here; the message says what to do."""


def wheel_key(
    torch_version: str,
    python: Sequence[int],
    machine: str,
    cuda: str | None = None,
    archs: Sequence[str] = (),
) -> str:
    """Name of all that the binary of an mmcv wheel depends on.

    Args:
        torch_version (str): ``torch.__version__``, local part included.
        python (Sequence[int]): Major and minor version of Python.
        machine (str): Processor, as of ``platform.machine()``.
        cuda (str, optional): Version of CUDA; None for ops without CUDA.
            Defaults to None.
        archs (Sequence[str]): Compute capabilities such as ``'9.0'``.
            Defaults to ().

    Returns:
        str: For instance ``'torch2.11.0+cu130-cp311-x86_64-cpu'``.
    """
    parts = [f'torch{torch_version}', 'cp{}{}'.format(*python[:2]), machine]
    if cuda is None:
        parts.append('cpu')
    else:
        parts.append('cu' + cuda.replace('.', ''))
        parts.extend('sm' + a.replace('.', '') for a in sorted(set(archs)))
    return '-'.join(parts)


def candidates(folders: Sequence[Path], torch_version: str) -> Iterator[Path]:
    """Wheels of our mmcv for this Python, in the folders or one level below.

    Args:
        folders (Sequence[Path]): Where to look, in this order.
        torch_version (str): A folder named after another torch, such as
            ``torch2.10.0-cpu``, is passed over.

    Yields:
        Path: A wheel that may be tried.
    """
    from packaging.tags import sys_tags
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    ours = set(sys_tags())
    public = torch_version.split('+')[0]
    for folder in folders:
        for wheel in sorted([*folder.glob('*.whl'), *folder.glob('*/*.whl')]):
            named = re.match(r'torch(\d+\.\d+\.\d+)', wheel.parent.name)
            if named and named.group(1) != public:
                continue
            try:
                name, version, _, tags = parse_wheel_filename(wheel.name)
            except InvalidWheelFilename:
                continue
            if name == DISTRIBUTION and str(version) == VERSION and tags & ours:
                yield wheel


def ops_error(device: str, folder: Path | None = None) -> str | None:
    """Run mmcv's ops in a process of their own: a wrong build may crash it.

    Args:
        device (str): ``'cpu'`` or ``'cuda'``.
        folder (Path, optional): An unpacked wheel to run instead of what is
            installed. Defaults to None.

    Returns:
        str, optional: Why they do not run; None if they do.
    """
    env = dict(os.environ, PYTHONWARNINGS='ignore')
    if folder is not None:
        env['PYTHONPATH'] = str(folder)
    done = subprocess.run(
        [sys.executable, '-c', CHECK_OPS, device], cwd=ROOT, env=env, capture_output=True, text=True
    )
    if done.returncode == 0:
        return None
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f'exit status {done.returncode}'


def wheel_error(device: str, wheel: Path) -> str | None:
    """Why the ops of a wheel do not run; None if they do."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
        except zipfile.BadZipFile:
            return 'the file is damaged'
        return ops_error(device, Path(folder))


def pip(*args: str, **kwargs) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, '-m', 'pip', '--disable-pip-version-check', *args], **kwargs
    )


def install(wheel: Path) -> None:
    if pip(
        'install',
        '--quiet',
        '--no-deps',
        '--no-index',
        '--force-reinstall',
        '--root-user-action=ignore',
        str(wheel),
    ).wait():
        raise BuildError(f'{wheel} could not be installed.')


def check_compilers() -> None:
    """Tell early what a bare machine lacks for building an extension."""
    import sysconfig

    for compiler in ('gcc', 'g++'):
        if shutil.which(compiler) is None:
            raise BuildError(
                f"building mmcv's ops needs {compiler}: install it (Debian: apt-get install g++)."
            )
    if not Path(sysconfig.get_path('include'), 'Python.h').is_file():
        raise BuildError(
            "building mmcv's ops needs Python's headers: install "
            'them (Debian: apt-get install python3-dev).'
        )


def release(nvcc: Path) -> str | None:
    """CUDA version of a compiler, such as ``'13.0'``; None if it is none."""
    try:
        said = subprocess.run([nvcc, '--version'], capture_output=True, text=True).stdout
    except OSError:
        return None
    found = re.search(r'release (\d+\.\d+)', said)
    return found.group(1) if found else None


def installed_toolkit(cuda: str) -> Path | None:
    """A CUDA toolkit of this machine that torch can be extended with.

    Args:
        cuda (str): torch's CUDA version; the major version has to be equal.

    Returns:
        Path, optional: Its folder, with compiler and headers.
    """
    homes = [os.environ.get(name) for name in ('CUDA_HOME', 'CUDA_PATH')]
    homes.append('/usr/local/cuda')
    if shutil.which('nvcc'):
        homes.append(str(Path(shutil.which('nvcc')).resolve().parent.parent))
    for home in map(Path, filter(None, homes)):
        version = release(home / 'bin' / 'nvcc')
        if (
            version
            and version.split('.')[0] == cuda.split('.')[0]
            and all((home / 'include' / name).is_file() for name in CUDA_HEADERS)
        ):
            return home
    return None


def registry_toolkit(cuda: str, folder: Path) -> Path:
    """The compiler of torch's own CUDA version, from the package registry.

    torch's wheels bring CUDA's libraries and headers as packages; the compiler
    is one more package of the same family.

    Args:
        cuda (str): torch's CUDA version, 13 or newer: older ones came in
            packages without a common folder.
        folder (Path): Where to put a toolkit's usual layout, made of links.

    Returns:
        Path: ``folder``.

    Raises:
        BuildError: If it is not to be had.
    """
    advice = (
        f"building mmcv's ops for the GPU needs the CUDA {cuda} toolkit:"
        ' install it (with nvcc) and set CUDA_HOME to its folder, or '
        'set up for the CPU with --cpu.'
    )
    try:
        toolkit = importlib.metadata.version('cuda-toolkit')
    except importlib.metadata.PackageNotFoundError:
        raise BuildError(advice) from None
    # Without the runtime's version the compiler's parts would be the newest.
    parts = f'cuda-toolkit[nvcc,cccl,crt,nvvm]=={toolkit}'
    print(f'[mmcv] no CUDA {cuda} toolkit here: installing {parts}')
    site = next(Path(p) for p in sys.path if Path(p, 'torch', '__init__.py').exists())
    home = site / 'nvidia' / f'cu{cuda.split(".")[0]}'
    if (
        pip('install', '--quiet', '--root-user-action=ignore', parts).wait()
        or release(home / 'bin' / 'nvcc') is None
    ):
        raise BuildError(advice)
    for name in ('bin', 'include', 'nvvm'):
        (folder / name).symlink_to(home / name)
    # The packages have only the libraries' versioned names.
    (folder / 'lib64').mkdir()
    for library in (home / 'lib').iterdir():
        plain = re.sub(r'\.so\..*', '.so', library.name)
        with contextlib.suppress(FileExistsError):
            (folder / 'lib64' / plain).symlink_to(library)
    return folder


def visible_archs() -> list[str]:
    """Compute capabilities of the GPUs here; common ones if there is none."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = {'{}.{}'.format(*torch.cuda.get_device_capability(i)) for i in range(count)}
    return sorted(found) or ['8.0', '9.0']


def number_of_jobs() -> int:
    """All cores, or fewer where memory is short: a compiler takes 1.5 GB."""
    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    return max(1, min(cores, int(memory / 1.5e9)))


def follow(process: subprocess.Popen, folder: Path) -> None:
    """Show how far a build is until it ends."""
    start = shown = time.monotonic()
    while process.poll() is None:
        time.sleep(0.5)
        now = time.monotonic()
        if now - shown < 15:
            continue
        shown = now
        plan = next(folder.rglob('build.ninja'), None)
        total = (
            0
            if plan is None
            else len(re.findall(r'^build \S+\.o:', plan.read_text(), re.MULTILINE))
        )
        built = sum(1 for _ in folder.rglob('*.o'))
        minutes, seconds = divmod(int(now - start), 60)
        progress = f'{built} of {total} files compiled' if total else 'starts'
        print(f'[mmcv]   {minutes:2d} min {seconds:02d} s: {progress}', flush=True)


def strip_symbols(wheel: Path, folder: Path) -> Path:
    """Leave the debug symbols out: 1.5 MB instead of 33.

    Args:
        wheel (Path): The wheel as built.
        folder (Path): An empty folder to work in.

    Returns:
        Path: The smaller wheel; the given one where there is no ``strip``.
    """
    if shutil.which('strip') is None:
        return wheel
    run = [sys.executable, '-m', 'wheel']
    tree, packed = folder / 'tree', folder / 'packed'
    packed.mkdir(parents=True)
    quiet = dict(check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*run, 'unpack', '--dest', tree, wheel], **quiet)
    for library in tree.rglob('*.so'):
        subprocess.run(['strip', '--strip-debug', library], check=True)
    # packing also writes the checksums in RECORD anew
    subprocess.run([*run, 'pack', '--dest-dir', packed, next(tree.iterdir())], **quiet)
    return next(packed.glob('*.whl'))


def build(device: str, archs: Sequence[str], kept: Path) -> Path:
    """Build a wheel of mmcv with its ops for the torch that is installed.

    Args:
        device (str): ``'cpu'`` or ``'cuda'``.
        archs (Sequence[str]): Compute capabilities to build for.
        kept (Path): Where the wheel is put once its ops have run.

    Returns:
        Path: The wheel.

    Raises:
        BuildError: If it cannot be built, or does not run.
    """
    import torch

    check_compilers()
    kept.mkdir(parents=True, exist_ok=True)
    jobs = os.environ.get('MAX_JOBS') or str(number_of_jobs())
    # On the disk of the repository: /tmp may be small.
    with tempfile.TemporaryDirectory(dir=kept, prefix='build-') as name:
        work = Path(name)
        env = dict(
            os.environ,
            TMPDIR=name,
            MMCV_WITH_OPS='1',
            MAX_JOBS=jobs,
            # ninja lies beside the interpreter
            PATH=os.pathsep.join([str(Path(sys.executable).parent), os.environ['PATH']]),
        )
        if device == 'cuda':
            home = installed_toolkit(torch.version.cuda)
            if home is None:
                (work / 'cuda').mkdir()
                home = registry_toolkit(torch.version.cuda, work / 'cuda')
            env.update(
                FORCE_CUDA='1',
                CUDA_HOME=str(home),
                # newer GPUs compile the last one's PTX
                TORCH_CUDA_ARCH_LIST=';'.join(archs) + '+PTX',
            )
        else:
            # mmcv builds for any GPU that it sees, whatever FORCE_CUDA says
            env.update(FORCE_CUDA='0', CUDA_VISIBLE_DEVICES='')
        print(
            f'[mmcv] building the ops of {DISTRIBUTION} {VERSION} for '
            f'{device} with {jobs} jobs; 10 to 20 minutes on 2 cores'
            f'{" without CUDA, an hour with" if device == "cuda" else ""}',
            flush=True,
        )
        start = time.monotonic()
        log = kept / 'build.log'
        with open(log, 'w') as out:
            process = pip(
                'wheel',
                '--no-cache-dir',
                '--no-build-isolation',
                '--no-deps',
                '--no-binary',
                DISTRIBUTION,
                '--wheel-dir',
                str(work / 'built'),
                f'{DISTRIBUTION}=={VERSION}',
                env=env,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
            try:
                follow(process, work)
            finally:
                if process.poll() is None:
                    process.terminate()
                    process.wait()
        if process.returncode:
            print(*log.read_text().splitlines()[-30:], sep='\n')
            raise BuildError(
                "building mmcv's ops failed: the messages above, "
                f'and all of them in {log}, say why.'
            )
        wheel = strip_symbols(next((work / 'built').glob('*.whl')), work / 'strip')
        error = wheel_error(device, wheel)
        if error:
            raise BuildError(
                f'the mmcv built here does not run ({error}); its messages are in {log}.'
            )
        final = kept / wheel.name
        os.replace(wheel, final)
    minutes, seconds = divmod(int(time.monotonic() - start), 60)
    print(
        f'[mmcv] built in {minutes} min {seconds} s; kept as {final} '
        f'({final.stat().st_size / 1e6:.1f} MB)'
    )
    return final


def provide(device: str, kept: Path, folders: Sequence[Path]) -> None:
    """Have an mmcv installed whose ops run; see the module's text."""
    import torch

    if ops_error(device) is None:
        return
    cuda = torch.version.cuda if device == 'cuda' else None
    if device == 'cuda' and cuda is None:
        raise BuildError(
            f'torch {torch.__version__} is built without CUDA: '
            'install one with it, or set up for the CPU with '
            '--cpu.'
        )
    archs = visible_archs() if device == 'cuda' else []
    kept = kept / wheel_key(torch.__version__, sys.version_info, platform.machine(), cuda, archs)
    for wheel in candidates([kept, *folders], torch.__version__):
        error = wheel_error(device, wheel)
        if error is None:
            print(f'[mmcv] using {wheel}')
            return install(wheel)
        print(f'[mmcv] not using {wheel}: {error}')
    install(build(device, archs, kept))


def main() -> None:
    parser = argparse.ArgumentParser(
        description='Install mmcv with compiled ops that run.',
        epilog='example: python tools/build_mmcv.py --device cpu',
    )
    parser.add_argument(
        '--device', choices=['cpu', 'cuda'], required=True, help='where the ops have to run'
    )
    parser.add_argument(
        '--kept',
        type=Path,
        default=ROOT / '.wheels',
        help='folder of the wheels built before (default: .wheels)',
    )
    parser.add_argument(
        '--wheel-dir',
        type=Path,
        action='append',
        default=[],
        help='another folder of wheels to try before building',
    )
    args = parser.parse_args()
    try:
        provide(args.device, args.kept, args.wheel_dir)
    except BuildError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit('error: interrupted.')


if __name__ == '__main__':
    main()
