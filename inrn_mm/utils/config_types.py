"""What the types in a config are called, however they are written."""

from mmengine.registry import MODELS, init_default_scope


def type_name(cfg: dict | None) -> str:
    """Read the class's own name.

    Args:
        cfg (dict, optional): With a ``type``: ``'Name'``, with a scope or a
            module before it, ``'inrn_mm.Name'``, or the class itself.

    Returns:
        str: ``'Name'``; empty if there is no type.
    """
    kind = (cfg or {}).get('type', '')
    return getattr(kind, '__name__', str(kind).rsplit('.', 1)[-1])


def is_distiller(model: dict | None) -> bool:
    """Tell whether a model's config is that of a distilled training.

    Args:
        model (dict, optional): A config's ``model``.
    """
    return type_name(model) == 'KnowledgeDistiller'


def init_scope(cfg: dict) -> None:
    """Set the default scope that a config asks for.

    Args:
        cfg (dict): A whole config. With ``default_scope=None``, as mmdet's
            configs in Python style have it, types are classes and no scope
            is set; without the key it is mmengine's.
    """
    scope = cfg.get('default_scope', 'mmengine')
    if scope is not None:
        init_default_scope(scope)


def student_config(model: dict | None) -> dict:
    """Unwrap the network of a distilled training.

    Args:
        model (dict, optional): A config's ``model``.

    Returns:
        dict: That of the student, or the model itself.
    """
    model = model or {}
    return (model.get('student') if is_distiller(model) else model) or {}


def model_class(cfg: dict) -> type | None:
    """Find the class of a config's network.

    Args:
        cfg (dict): A whole config.

    Returns:
        type | None: The class; the student's for a distilled training. None
        if there is no such class.
    """
    model = student_config(cfg.get('model'))
    kind = model.get('type')
    if isinstance(kind, type) or not kind:
        return kind or None
    with MODELS.switch_scope_and_registry(cfg.get('default_scope')) as registry:
        return registry.get(kind)


def model_package(cfg: dict) -> str:
    """Tell which package a config's network is made for.

    Args:
        cfg (dict): A whole config.

    Returns:
        str: ``'mmdet'``, ``'mmpretrain'``, ``'mmseg'`` or ``''`` for others: that
        of the network's class or of one that it is derived from.
    """
    for base in getattr(model_class(cfg), '__mro__', ()):
        package = base.__module__.partition('.')[0]
        if package in ('mmdet', 'mmpretrain', 'mmseg'):
            return package
    return ''
