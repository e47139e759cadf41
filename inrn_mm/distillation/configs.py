"""Reading the configs of students and teachers."""

import difflib
from collections.abc import Sequence
from inspect import signature
from typing import Any

from mmengine.config import ConfigDict
from mmengine.hub import get_config
from mmengine.registry import MODELS, DefaultScope

from ..engine.config_file import names_network, read_config
from .adapters import adapted_config

# of a teacher among several
KEYS = ('model', 'checkpoint', 'data_preprocessor', 'options', 'size')


def teacher_configs(teacher: str | dict | None, checkpoint: str | None) -> dict[str, dict]:
    """Read the teachers that a distiller is given.

    Args:
        teacher (str | dict, optional): The config of one, or a dict of names.
        checkpoint (str, optional): Weights of the one.

    Returns:
        dict[str, dict]: Arguments of :class:`FrozenTeacher`, by name.

    Raises:
        ValueError: If it is neither, or a teacher has an unknown key.
    """
    if teacher is None:
        return {}
    if isinstance(teacher, str) or 'type' in teacher:
        return dict(teacher=dict(model=teacher, checkpoint=checkpoint))
    if 'model' in teacher and not (isinstance(teacher['model'], dict) and _named(teacher['model'])):
        teacher = dict(teacher={'checkpoint': checkpoint, **teacher})
    for name, cfg in teacher.items():
        if name == 'self' or not _named(cfg):
            raise ValueError(
                'Several teachers are a dict of names (but not self), each '
                'with a `model` and a `checkpoint`; or, for one teacher, give '
                'its model config, which has a `type`.'
            )
        for key in set(cfg) - set(KEYS):
            near = difflib.get_close_matches(key, KEYS, 1)
            raise ValueError(
                f"The teacher '{name}' has the unknown key '{key}'"
                + (f' (did you mean {near[0]!r}?)' if near else '')
                + f'; it may have {", ".join(KEYS)}.'
            )
    return {name: dict(cfg) for name, cfg in teacher.items()}


def with_class_map(
    losses: Sequence[dict], class_map: Sequence[int] | dict | None, teachers: Sequence[str]
) -> list[dict]:
    """Give losses of class logits the map of their teacher's classes.

    Args:
        losses (Sequence[dict]): Configs of losses; their own maps stay.
        class_map (Sequence[int] | dict, optional): The map, or one for each
            teacher that has other classes, by name.
        teachers (Sequence[str]): Names of the teachers.

    Returns:
        list[dict]: The configs.
    """
    maps = class_map if isinstance(class_map, dict) else dict.fromkeys(teachers, class_map)
    given = []
    for cfg in losses:
        found = maps.get(cfg.get('teacher') or next(iter(teachers), ''))
        kind = MODELS.get(cfg['type']) if isinstance(cfg['type'], str) else cfg['type']
        if found is not None and 'class_map' in signature(kind.__init__).parameters:
            cfg = {'class_map': list(found), **cfg}
        given.append(cfg)
    return given


def _named(cfg: Any) -> bool:
    """Tell whether this is the entry of a named teacher."""
    return isinstance(cfg, dict) and 'model' in cfg


def model_config(model: str | dict) -> dict:
    """Read the config of a model, from a dict, a file or a package.

    Args:
        model (str | dict): A model config; or the path of a config file that
            has a ``model``, ``'configs/my.py'``, or one of a package,
            ``'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'``; or a network
            of another library, see :func:`adapted_config`.

    Returns:
        dict: The model config, with the scope its types are found in.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read or has no ``model``, or there is
            no such package.
    """
    if not isinstance(model, str):
        return ConfigDict(model)
    adapted = adapted_config(model)
    if adapted is not None:
        return ConfigDict(adapted)
    config = read_config(model)
    if 'model' not in config:
        raise ValueError(f"The config '{model}' has no `model`.")
    cfg = config.model
    # mmpretrain's configs have it beside the model
    if 'data_preprocessor' in config:
        cfg.setdefault('data_preprocessor', config.data_preprocessor)
    scope = config.get('default_scope') or DefaultScope.get_current_instance()
    if scope is not None:
        cfg.setdefault('_scope_', getattr(scope, 'scope_name', scope))
    return cfg


def published_weights(model: str | dict) -> str | None:
    """Look up the weights that a package publishes for one of its configs.

    Args:
        model (str | dict): A model config, or its name, see
            :func:`model_config`.

    Returns:
        str | None: Their URL, of the package's metafiles; None for other
        models and where these name none.
    """
    if not isinstance(model, str) or '::' not in model or names_network(model):
        return None
    try:
        return get_config(model, pretrained=True).get('model_path')
    except (AssertionError, OSError):  # of mmengine, where there are no weights or no metafile
        return None
