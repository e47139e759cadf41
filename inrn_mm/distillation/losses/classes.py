"""Classes of the teacher in the order of the student's."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

MAP_HELP = (
    'class_map has, for each class of the student, its number at the teacher, or -1 where that '
    'does not know it'
)


class ClassMap(nn.Module):
    """Picks the classes that student and teacher share from their logits.

    Args:
        class_map (Sequence[int], optional): For each class of the student the
            number that it has at the teacher, -1 where it has none there.
            Defaults to None, the same classes.

    Raises:
        ValueError: If it has other values, or no class is shared.
    """

    def __init__(self, class_map: Sequence[int] | None = None) -> None:
        super().__init__()
        self.given = class_map is not None
        numbers = [] if class_map is None else list(class_map)
        if not all(isinstance(number, int) and number >= -1 for number in numbers):
            raise ValueError(f'{MAP_HELP}; got {class_map!r}.')
        if self.given and all(number < 0 for number in numbers):
            raise ValueError(
                'Student and teacher share no class: compare features instead of logits, by a '
                'method such as pkd or inrn.'
            )
        self.size = len(numbers)
        self.most = max(numbers, default=-1)
        known = [(own, other) for own, other in enumerate(numbers) if other >= 0]
        self.register_buffer('own', torch.tensor([a for a, _ in known]), persistent=False)
        self.register_buffer('others', torch.tensor([b for _, b in known]), persistent=False)

    def check(self, layer: object, own: int, other: int) -> None:
        """See that the map fits the logits.

        Args:
            layer (object): The student's layer, for messages.
            own (int): Classes that the student scores, maybe with a background.
            other (int): Classes that the teacher scores.

        Raises:
            ValueError: If it does not.
        """
        if own not in (self.size, self.size + 1) or self.most >= other:
            raise ValueError(
                f'{MAP_HELP}; here it has {self.size} entries up to {self.most}, while {layer!r} '
                f'scores {own} classes and the teacher {other}.'
            )

    def student(self, rows: Tensor) -> Tensor:
        """Pick the student's shared classes and background ``(rows, C)``."""
        return self._pick(rows, self.own) if self.given else rows

    def teacher(self, rows: Tensor, own: int) -> Tensor:
        """Pick the teacher's shared classes and background.

        Args:
            rows (Tensor): The teacher's logits ``(rows, C_t)``.
            own (int): Classes that the student scores.
        """
        return self._pick(rows, self.others, own > self.size) if self.given else rows

    def _pick(self, rows: Tensor, columns: Tensor, background: bool | None = None) -> Tensor:
        if background is None:
            background = rows.shape[1] > self.size
        picked = rows.index_select(1, columns)
        # mmdet's background is the last
        return torch.cat([picked, rows[:, -1:]], 1) if background else picked

    def labels(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Number the labels of rows by the shared classes.

        Args:
            labels (Tensor): The student's ``(rows, )``; its background is the
                number behind its classes.

        Returns:
            tuple[Tensor, Tensor]: The numbers (0 where the class is not
            shared), and which rows have a shared class.
        """
        if not self.given:
            return labels, torch.ones_like(labels, dtype=torch.bool)
        numbers = labels.new_full((self.size + 1,), -1)
        numbers[self.own] = torch.arange(len(self.own), device=labels.device)
        numbers[self.size] = len(self.own)
        found = numbers[labels]
        return found.clamp(min=0), found >= 0
