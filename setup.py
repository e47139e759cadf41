from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
EXTRAS = ('det', 'cls', 'seg', 'mm', 'fit', 'demo', 'vis', 'deploy', 'teachers', 'tests')


def requirements(*names: str) -> list:
    """What the files under ``requirements/`` ask for, each once."""
    found = []
    for name in names:
        for line in (ROOT / 'requirements' / name).read_text().splitlines():
            if line.startswith('-r '):
                found += requirements(line[3:].strip())
            elif line.strip() and not line.startswith('#'):
                found.append(line.strip())
    return list(dict.fromkeys(found))


def version() -> str:
    scope: dict = {}
    exec((ROOT / 'inrn_mm' / 'version.py').read_text(), scope)
    return scope['__version__']


setup(
    name='inrn_mm',
    version=version(),
    description='INRN backbones and knowledge distillation for OpenMMLab',
    long_description=(ROOT / 'README.md').read_text(),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10',
    packages=find_packages(include=['inrn_mm', 'inrn_mm.*']),
    # The mim extension: .mim holds links to configs/, tools/ and
    # model-index.yml. A wheel carries what they point to, so that
    # 'inrn_mm::inrn/...' is found wherever the package is installed; in
    # editable mode it is the repository's own files.
    package_data={'inrn_mm': ['.mim/*.yml', '.mim/**/*']},
    exclude_package_data={'': ['*.py[co]', '__pycache__/*']},
    # torch and the mm stack are not here on purpose. Two publishers offer the
    # stack under the same import names (mmcv and onedl-mmcv, ...); pip would
    # put one over the other, or a CPU-only torch's successor over the one that
    # mmcv's ops are built for. Ask for them by the extras.
    install_requires=requirements('runtime.txt'),
    extras_require={
        **{name: requirements(f'{name}.txt') for name in EXTRAS},
        'all': requirements('mm.txt', *(f'{name}.txt' for name in EXTRAS)),
    },
    zip_safe=False,
)
