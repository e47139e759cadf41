"""What the types in a config are called, however they are written."""


def type_name(cfg: dict | None) -> str:
    """The class's own name.

    Args:
        cfg (dict, optional): With a ``type``: ``'Name'``, with a scope or a
            module before it, ``'inrn_mm.Name'``, or the class itself.

    Returns:
        str: ``'Name'``; empty if there is no type.
    """
    kind = (cfg or {}).get('type', '')
    return getattr(kind, '__name__', str(kind).rsplit('.', 1)[-1])


def is_distiller(model: dict | None) -> bool:
    """Whether a model's config is that of a distilled training.

    Args:
        model (dict, optional): A config's ``model``.
    """
    return type_name(model) == 'KnowledgeDistiller'
