"""What a config says of its training, in words for a card."""

from mmengine.config import Config

from ..datasets.checks.usage import leaf_configs
from ..utils.config_types import is_distiller, student_config, type_name


def describe_training(cfg: Config) -> dict[str, str]:
    """Tell the network, the teachers and the data of a training.

    Args:
        cfg (Config): Its config.

    Returns:
        dict[str, str]: Arguments of
        :class:`~inrn_mm.engine.checkpoints.publishing.Card`: ``architecture``,
        ``data`` and, of a distilled training, ``teacher``.
    """
    model = cfg.get('model') or {}
    student = student_config(model)
    backbone = student.get('backbone', student) if isinstance(student, dict) else dict(type=student)
    options = [f'{k}={v!r}' for k, v in backbone.items() if k not in ('type', '_scope_')]
    facts = dict(architecture=f'`{type_name(backbone)}({", ".join(options)})`')
    sets = [dataset for _, dataset in leaf_configs(cfg.train_dataloader.dataset, '')]
    facts['data'] = ', '.join(f'`{s.get("data_root")}` ({type_name(s)})' for s in sets)
    if is_distiller(model):
        facts['teacher'] = _teachers(model)
    return facts


def _teachers(model: dict) -> str:
    teacher = model.get('teacher')
    if not teacher:
        return 'none'
    several = isinstance(teacher, dict) and not {'type', 'model'} & set(teacher)
    entries = list(teacher.values()) if several else [teacher]
    return ', '.join(_name(entry, model.get('teacher_checkpoint')) for entry in entries)


def _name(entry: str | dict, checkpoint: str | None) -> str:
    """Name a teacher by its config, or its class and options, and its weights."""
    if isinstance(entry, dict) and 'model' in entry:
        entry, checkpoint = entry['model'], entry.get('checkpoint', checkpoint)
    if isinstance(entry, dict):
        name = entry.get('model_name') or entry.get('arch') or ''
        entry = f'{type_name(entry)} {name}'.strip()
    return f'`{entry}`' + (f' with `{checkpoint}`' if checkpoint else '')
