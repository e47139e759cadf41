from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def requirements(name: str) -> list:
    """Lines of a requirements file that are requirements."""
    lines = (ROOT / 'requirements' / f'{name}.txt').read_text().splitlines()
    return [line for line in lines if line and not line.startswith('#')]


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
    # .mim holds links to configs/, tools/ and model-index.yml: a wheel carries
    # copies, so that 'inrn_mm::inrn/...' is found wherever it is installed.
    package_data={'inrn_mm': ['.mim/*.yml', '.mim/**/*']},
    # torch and the mm stack are not here on purpose: two publishers offer it
    # under the same import names, and pip would put one over the other.
    install_requires=requirements('runtime'),
    extras_require={
        'mm': requirements('mm'),
        'tests': requirements('tests'),
        'all': requirements('mm') + requirements('tests'),
    },
    zip_safe=False,
)
