"""Rows of a comparison of trainings, and the presets that name some."""

from dataclasses import dataclass, field, replace
from pathlib import Path

CONFIGS = Path(__file__).parents[2] / 'configs' / 'classification'
PRESETS = CONFIGS / 'presets.yml'


@dataclass
class Row:
    """A row of the table.

    Args:
        config (Path): The config file.
        name (str): The row's name, and that of its folder.
        options (list[str]): ``KEY=VALUE`` of the student's model that the
            config is changed by. Defaults to an empty list.
        method (str): The method that distils it; the flags for the teacher
            are in ``teacher``. Defaults to ``''``, as the config has it.
        teacher (list[str]): Config and maybe checkpoint of the teacher.
            Defaults to an empty list.
        settings (list[str]): ``KEY=VALUE`` of the distilled model, such as
            ``method.beta=2``. Defaults to an empty list.
    """

    config: Path
    name: str
    options: list[str] = field(default_factory=list)
    method: str = ''
    teacher: list[str] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)

    @property
    def flags(self):
        """Arguments of tools/train.py that make it this row."""
        if not self.method:
            return []
        return ['--teacher', *self.teacher, '--method', *self.method.split('+')]


def preset_row(name, variants):
    """Find the row that a preset calls CONFIG or CONFIG+VARIANT."""
    config, _, variant = name.partition('+')
    return Row(CONFIGS / f'{config}.py', name, variants[variant] if variant else [])


def method_rows(student, teacher, methods):
    """Make the rows of a student alone and by each method.

    Args:
        student (Row): The student alone.
        teacher (list[str]): Config and maybe checkpoint of the teacher.
        methods (dict[str, list[str]]): Their names, and settings of each.
    """
    rows = [
        Row(
            student.config,
            f'{student.name}_{m}',
            student.options,
            m,
            teacher,
            [f'method.{setting}' for setting in settings or []],
        )
        for m, settings in methods.items()
    ]
    return [student, *rows]


def control_rows(row):
    """Make the rows that a comparison must come out of as expected.

    Args:
        row (Row): A student by a method.

    Returns:
        list[Row]: With weight 0, which is the student alone; and under a
        teacher of random weights, which knows nothing.
    """
    methods = row.method.split('+')
    keys = [f'method.{i}' for i in range(len(methods))] if len(methods) > 1 else ['method']
    nothing = [f'{key}.weight=0' for key in keys]
    unknowing = ['teacher_checkpoint=None', 'allow_random_teacher=True']
    return [
        replace(row, name=f'{row.name}_weight0', settings=row.settings + nothing),
        replace(
            row,
            name=f'{row.name}_random',
            teacher=row.teacher[:1],
            settings=row.settings + unknowing,
        ),
    ]


def preset_rows(preset, variants):
    """List the rows of a preset, the baseline first."""
    if 'configs' in preset:
        return [preset_row(name, variants) for name in preset['configs']]
    student = preset_row(preset['student'], variants)
    config, *checkpoint = preset['teacher']
    teacher = [config if '::' in config else str(CONFIGS / f'{config}.py'), *checkpoint]
    return method_rows(student, teacher, preset['methods'])


def published_rows(preset):
    """List the published figures of a preset, by the names of its rows."""
    figures = preset.get('published', {})
    if 'configs' in preset:
        return figures
    student = preset['student']
    return {student if name == 'alone' else f'{student}_{name}': x for name, x in figures.items()}
