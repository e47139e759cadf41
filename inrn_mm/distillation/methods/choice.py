"""From the names of methods to the losses of two networks."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from .networks import Network
from .pairing import Unpaired
from .registry import METHODS

Method = str | dict


def choose_losses(
    method: Method | Sequence[Method],
    student: nn.Module,
    teachers: Mapping[str, nn.Module],
    class_map: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
) -> dict[str, Any]:
    """Choose the losses of methods for a student and its teachers.

    Args:
        method (str | dict | Sequence): A method's name, as ``'pkd'``; or a
            dict of its name as ``type`` with arguments of its losses in place
            of its own choice, ``dict(type='pkd', weight=3.0)``, and with
            ``teacher``, the name of the one of several that it is for; or
            several of these.
        student (nn.Module): The student.
        teachers (Mapping[str, nn.Module]): The teachers' networks, by name.
        class_map (Sequence[int] | Mapping, optional): The student's classes
            among a teacher's, or those of each teacher. Defaults to None, the
            same classes.

    Returns:
        dict: Arguments of :class:`KnowledgeDistiller` that say the same:
        ``distill_losses`` and, where a method has one, ``task_weight``.

    Raises:
        ValueError: If there is no such method or teacher, or a method finds
            nothing to compare; with the methods that would.
    """
    methods = [method] if isinstance(method, (str, dict)) else list(method)
    own = Network(student)
    maps = class_map if isinstance(class_map, Mapping) else dict.fromkeys(teachers, class_map)
    others = {name: Network(net, 'teacher', maps.get(name)) for name, net in teachers.items()}
    if not others:
        raise ValueError(f'The method {method!r} needs a teacher: give one, or distill_losses.')
    chosen: dict[str, Any] = dict(distill_losses=[])
    for entry in methods:
        entry = dict(type=entry) if isinstance(entry, str) else dict(entry)
        name = str(entry.pop('type', None))
        wanted = entry.pop('teacher', None)
        weight = entry.pop('task_weight', None)
        if wanted is not None and wanted not in others:
            raise ValueError(
                f"The method '{name}' is for the teacher '{wanted}', which is not there; choose "
                f'one of {list(others)}.'
            )
        for teacher in others if wanted is None else [wanted]:
            found = _choose(name, own, others[teacher])
            if weight is not None or 'task_weight' in found:
                chosen['task_weight'] = found['task_weight'] if weight is None else weight
            for loss in found['distill_losses']:
                loss.update(entry)
                if len(others) > 1:
                    loss.update(teacher=teacher, name=f'{name}_{teacher}')
                chosen['distill_losses'].append(loss)
    return chosen


def _choose(name: str, student: Network, teacher: Network) -> dict:
    choose = METHODS.get(name)
    if choose is None:
        raise ValueError(f"There is no method '{name}': choose one of {list_methods()}.")
    try:
        return choose(student, teacher)
    except Unpaired as error:
        fitting = [other for other in list_methods() if other not in (name, 'auto')]
        fitting = [other for other in fitting if _fits(other, student, teacher)]
        advice = f'methods that fit both are {", ".join(fitting)}' if fitting else 'no method fits'
        raise ValueError(f"The method '{name}' cannot be taken: {error}; {advice}.") from None


def _fits(name: str, student: Network, teacher: Network) -> bool:
    try:
        METHODS.get(name)(student, teacher)
    except Unpaired:
        return False
    return True


def list_methods() -> list[str]:
    """List the names of all methods."""
    return sorted(METHODS.module_dict)
