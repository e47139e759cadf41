"""Rules of the code as a whole; docs/development.md has their reasons."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What is further down knows nothing of what is above it.
FLOORS = """
    __init__
    fitting deployment
    visualization
    distillation
    engine
    classification
    backbones datasets evaluation
    layers
    utils
    ops registry version
"""
FLOOR_OF = {
    name: -number for number, line in enumerate(FLOORS.split('\n')) for name in line.split()
}

MAX_FILE = 350
MAX_FUNCTION = 60


def sources(*folders: str) -> list[Path]:
    """List the Python files of folders, without what is behind links."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob('*.py'))]
    return [path for path in found if '.mim' not in path.parts]


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding='utf-8'))


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Read the line and the whole name of each import, wherever it stands in the file."""
    package = list(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            start = [*above, *([node.module] if node.module else [])]
            yield from ((node.lineno, '.'.join([*start, alias.name])) for alias in node.names)


def place(path: Path) -> str:
    """Name the folder below the package, or the module at its top."""
    return Path(path.relative_to(ROOT / 'inrn_mm').parts[0]).stem


def functions(tree: ast.AST, outer: str = '') -> Iterator[tuple[str, int]]:
    """List all functions, with their classes before the name, and their lengths."""
    for node in ast.iter_child_nodes(tree):
        name = outer
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            name = f'{outer}.{node.name}'.lstrip('.')
            if not isinstance(node, ast.ClassDef):
                yield name, node.end_lineno - node.lineno + 1
        yield from functions(node, name)


def test_every_folder_has_a_floor():
    found = {place(path) for path in sources('inrn_mm')}
    assert found == set(FLOOR_OF), 'give each folder its place in FLOORS, and no other'


def test_imports_run_downwards():
    upwards = []
    for path in sources('inrn_mm'):
        here = place(path)
        for line, name in imports(path):
            parts = name.split('.')
            if parts[0] != 'inrn_mm':
                continue
            there = parts[1] if len(parts) > 1 and parts[1] in FLOOR_OF else '__init__'
            if there != here and FLOOR_OF[there] >= FLOOR_OF[here]:
                upwards.append(f'{short(path)}:{line} imports {name}')
    assert not upwards


def test_the_library_knows_no_tool():
    found = [
        f'{short(path)}:{line} imports {name}'
        for path in sources('inrn_mm')
        for line, name in imports(path)
        if name.split('.')[0] in ('tools', 'tests')
    ]
    assert not found


def test_files_are_short():
    long = {
        short(path)
        for path in sources('inrn_mm', 'tools')
        if len(path.read_text(encoding='utf-8').splitlines()) > MAX_FILE
    }
    assert not long, f'a file has at most {MAX_FILE} lines'


def test_functions_are_short():
    long = {
        f'{short(path)} {name}'
        for path in sources('inrn_mm', 'tools')
        for name, lines in functions(parse(path))
        if lines > MAX_FUNCTION
    }
    assert not long, f'a function has at most {MAX_FUNCTION} lines'


def test_no_docstring_begins_in_the_middle():
    """ "Of the image." says less than "Height of the image."."""
    found = []
    for path in sources('inrn_mm', 'tools'):
        for node in ast.walk(parse(path)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                text = ast.get_docstring(node) or ''
                found += [f'{short(path)}: {x}' for x in re.findall(r'(?:^|: )Of .*', text)]
    assert not found


@pytest.mark.parametrize(
    ('text', 'names'),
    [
        ('import os.path', ['os.path']),
        ('from . import taps', ['inrn_mm.distillation.taps']),
        ('from ..engine import hooks', ['inrn_mm.engine.hooks']),
        ('def f():\n    from .losses.base import DistillLoss',
         ['inrn_mm.distillation.losses.base.DistillLoss']),
    ],
)  # fmt: skip
def test_imports_are_read(text, names, tmp_path, monkeypatch):
    monkeypatch.setattr('test_house.ROOT', tmp_path)
    folder = tmp_path / 'inrn_mm' / 'distillation'
    folder.mkdir(parents=True)
    (folder / 'new.py').write_text(text)
    assert [name for _, name in imports(folder / 'new.py')] == names


# --- docs/development.md ------------------------------------------------------
PAGE = ROOT / 'docs' / 'development.md'


def test_the_map_has_every_folder():
    shown = set(re.findall(r'^ {6}(\w+)/ ', PAGE.read_text(encoding='utf-8'), re.M))
    folders = {path.parent.relative_to(ROOT).as_posix() for path in sources('inrn_mm', 'tools')}
    there = {Path(folder).parts[1] for folder in folders if '/' in folder}
    assert shown | {'dataset_converters'} == there


@pytest.mark.parametrize('page', ['docs/development.md', 'CONTRIBUTING.md', 'CHANGELOG.md'])
def test_links_exist(page):
    text = (ROOT / page).read_text(encoding='utf-8')
    for link in re.findall(r'\]\((?!https?:|#)([^)#]+)', text):
        assert (ROOT / page).parent.joinpath(link).exists(), link


def test_the_example_of_a_loss():
    import torch
    from mmengine.registry import MODELS

    code = re.search(r'```python\n(.*?)```', PAGE.read_text(encoding='utf-8'), re.S)[1]
    scope = {}
    exec(code, scope)
    try:
        loss = MODELS.build(dict(type='CosineLoss', pairs=[(0, 0)]))
        feature = torch.rand(2, 3, 4, 4)
        (same,) = loss([feature], [2 * feature])
        (opposite,) = loss([feature], [-feature])
    finally:
        MODELS.module_dict.pop('CosineLoss')
    torch.testing.assert_close(same, torch.tensor(0.0), atol=1e-6, rtol=0)
    torch.testing.assert_close(opposite, torch.tensor(2.0))
