"""Names of the classes of student and teacher, and which are the same."""

from collections.abc import Sequence

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import DATASETS

from ..utils.config_types import is_distiller
from .config_file import LOADERS, names_network, read_config


def map_classes(cfg: Config) -> None:
    """Tell a distiller which classes its teachers share with the student.

    The names are those of the datasets in the config that is run and in the
    teachers' config files. A map that the config has itself stays.

    Args:
        cfg (Config): Changed in place: ``class_map`` of a distilled model, for
            teachers whose names are others or in another order.
    """
    if not is_distiller(cfg.get('model')) or 'class_map' in cfg.model:
        return
    own = class_names(cfg)
    maps = {}
    for name, teacher in _config_names(cfg.model.get('teacher')).items():
        if names_network(teacher):  # of whose classes nothing is known
            continue
        theirs = class_names(read_config(teacher)) if own else None
        if own and theirs and theirs != own:
            maps[name] = match_names(own, theirs)
            shared = sum(number >= 0 for number in maps[name])
            print_log(
                f'{shared} of the {len(own)} classes are among the {len(theirs)} of the teacher '
                f'{teacher}: its scores of these are compared, by their names.',
                'current',
            )
    if maps:
        cfg.model.class_map = maps


def _config_names(teacher: str | dict | None) -> dict[str, str]:
    """List the config files of the teachers, by name."""
    if isinstance(teacher, str):
        return dict(teacher=teacher)
    if not isinstance(teacher, dict) or 'type' in teacher:
        return {}
    if isinstance(teacher.get('model'), str):
        return dict(teacher=teacher['model'])
    found = {name: part.get('model') for name, part in teacher.items() if isinstance(part, dict)}
    return {name: model for name, model in found.items() if isinstance(model, str)}


def match_names(own: Sequence[str], theirs: Sequence[str]) -> list[int]:
    """Number classes by another list of names.

    Args:
        own (Sequence[str]): Names of the student's classes.
        theirs (Sequence[str]): Names of the teacher's.

    Returns:
        list[int]: For each class of the student its number at the teacher, -1
        where that has none of its name. Case, spaces, ``-`` and ``_`` do not
        count.
    """
    numbers = {_plain(name): i for i, name in reversed(list(enumerate(theirs)))}
    return [numbers.get(_plain(name), -1) for name in own]


def _plain(name: str) -> str:
    return ''.join(letter for letter in str(name).lower() if letter not in ' -_')


def class_names(cfg: Config) -> list[str] | None:
    """Read the names of the classes that a config is for.

    Args:
        cfg (Config): A whole config.

    Returns:
        list[str] | None: The names in the first dataset that has some, or
        those of its class; None if nothing says.
    """
    for loader in LOADERS:
        dataset = (cfg.get(loader) or {}).get('dataset')
        while isinstance(dataset, dict):
            names = _names(dataset, cfg.get('default_scope'))
            if names:
                return list(names)
            several = dataset.get('datasets')
            dataset = several[0] if several else dataset.get('dataset')
    return None


def _names(dataset: dict, scope: str | None) -> Sequence[str] | None:
    metainfo = dataset.get('metainfo') or {}
    names = metainfo.get('classes') or metainfo.get('CLASSES') if isinstance(metainfo, dict) else ()
    if not names:
        kind = dataset.get('type')
        if isinstance(kind, str):
            with DATASETS.switch_scope_and_registry(dataset.get('_scope_', scope)) as registry:
                kind = registry.get(kind)
        names = (getattr(kind, 'METAINFO', None) or {}).get('classes')
    return names if isinstance(names, (list, tuple)) else None
