"""What student and teacher predict for a validation set."""

import contextlib
import copy
import io
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.model import BaseModel
from mmengine.registry import EVALUATOR
from mmengine.runner import Runner
from torch import Tensor
from torchvision.ops import box_iou

from inrn_mm.distillation import KnowledgeDistiller
from inrn_mm.distillation.teacher import FrozenTeacher
from inrn_mm.engine.hooks.teacher_check_hook import class_counts

SCORE = 0.3  # boxes with less are none
OVERLAP = 0.5  # IoU from which two boxes are one


@dataclass
class Agreement:
    """How often two networks say the same.

    Args:
        kind (str): ``'top-1'`` class of images, or that of ``'boxes'``.
        same (int): Images, or matched boxes, of one class for both.
        compared (int): Images, or boxes that both found.
        asked (int): Images, or boxes of the teacher.
    """

    kind: str = ''
    same: int = 0
    compared: int = 0
    asked: int = 0

    def add(self, students: Sequence, teachers: Sequence) -> None:
        """Add the predictions for a batch, data samples."""
        for own, other in zip(students, teachers):
            if 'pred_label' in own and 'pred_label' in other:
                self.kind = 'top-1'
                self.same += int(own.pred_label == other.pred_label)
                self.compared += 1
                self.asked += 1
            elif 'pred_instances' in own and 'pred_instances' in other:
                self.kind = 'boxes'
                self._add_boxes(_kept(own.pred_instances), _kept(other.pred_instances))

    def _add_boxes(self, own: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> None:
        """Match each box of the teacher with the student's that overlaps most."""
        self.asked += len(other[0])
        if not len(own[0]) or not len(other[0]):
            return
        overlap, match = box_iou(other[0], own[0]).max(1)
        found = overlap >= OVERLAP
        self.compared += int(found.sum())
        self.same += int((own[1][match] == other[1])[found].sum())

    def report(self) -> dict[str, Any]:
        """Sum up; shares are None where there is nothing to compare."""
        return dict(
            kind=self.kind,
            same_class=self.same / self.compared if self.compared else None,
            found=self.compared / self.asked if self.asked else None,
            compared=self.compared,
            asked=self.asked,
        )


def _kept(instances: Any) -> tuple[Tensor, Tensor]:
    kept = instances[instances.scores >= SCORE]
    return torch.as_tensor(getattr(kept.bboxes, 'tensor', kept.bboxes)), kept.labels


def why_not_predict(
    model: KnowledgeDistiller, teacher: FrozenTeacher, class_map: Sequence[int] | None
) -> str:
    """Say why a teacher cannot be run as a model of its own; empty if it can.

    Args:
        model (KnowledgeDistiller): The distilled model.
        teacher (FrozenTeacher): The teacher.
        class_map (Sequence[int], optional): The number at the teacher of each
            class of the student, -1 for none.
    """
    own, other = class_counts(model.student), class_counts(teacher.net)
    if not isinstance(teacher.net, BaseModel):
        return f'{type(teacher.net).__name__} is a bare network, which predicts nothing'
    if class_map is None and own != other:
        counts = ' and '.join(', '.join(map(str, sorted(x))) or 'no' for x in (other, own))
        return f"its classes are others than the student's ({counts})"
    if teacher.sizes.fixed is not None and hasattr(teacher.net, 'bbox_head'):
        return f'it takes images of {teacher.sizes.fixed} only, and its boxes are of these'
    return ''


def predict_as_student(model: KnowledgeDistiller, batch: dict) -> list:
    """Predict by the student alone."""
    return model.student.val_step(copy.deepcopy(batch))


def predict_as_teacher(
    model: KnowledgeDistiller,
    teacher: FrozenTeacher,
    batch: dict,
    class_map: Sequence[int] | None = None,
) -> list:
    """Predict by a teacher, with its own normalisation, in the student's classes.

    Args:
        model (KnowledgeDistiller): The distilled model.
        teacher (FrozenTeacher): The teacher.
        batch (dict): A batch of the validation set.
        class_map (Sequence[int], optional): See :func:`why_not_predict`.
            Defaults to None, the same classes.

    Returns:
        list: Data samples; classes that the student does not have are left
        out.
    """
    data = model.student.data_preprocessor(copy.deepcopy(batch), False)
    inputs, samples, _ = teacher.convert(data['inputs'], data['data_samples'])
    samples = teacher.net(inputs, samples, mode='predict')
    return samples if class_map is None else [renumber(x, class_map) for x in samples]


def renumber(sample: Any, class_map: Sequence[int]) -> Any:
    """Turn a teacher's prediction into one in the student's classes.

    Args:
        sample (BaseDataElement): Changed in place.
        class_map (Sequence[int]): See :func:`why_not_predict`.
    """
    if 'pred_score' in sample:
        scores = sample.pred_score
        known = torch.tensor([number >= 0 for number in class_map], device=scores.device)
        numbers = torch.tensor(class_map, device=scores.device).clamp(min=0)
        sample.pred_score = torch.where(known, scores[numbers], -torch.inf)
        sample.pred_label = sample.pred_score.argmax().view(1)
    if 'pred_instances' in sample:
        labels = sample.pred_instances.labels
        most = max([*class_map, int(labels.max()) if len(labels) else 0])
        table = labels.new_full((most + 1,), -1)
        for own, number in enumerate(class_map):
            if number >= 0:
                table[number] = own
        sample.pred_instances.labels = table[labels]
        sample.pred_instances = sample.pred_instances[table[labels] >= 0]
    return sample


@dataclass
class Predictor:
    """A network whose predictions are scored.

    Args:
        predict (Callable): From a batch to data samples.
        evaluator (Evaluator, optional): Collects what its metrics need.
            Defaults to None, no metrics.
        optional (bool): Whether to go on without it if it fails, with the
            reason as ``failure``. Defaults to False.
    """

    predict: Callable[[dict], list]
    evaluator: Evaluator | None = None
    optional: bool = False
    failure: str = ''
    agreement: Agreement = field(default_factory=Agreement)

    def try_predict(self, batch: dict) -> list | None:
        """Predict, unless it failed before."""
        if self.failure:
            return None
        try:
            return self.predict(batch)
        except Exception as error:  # whatever a foreign network says
            if not self.optional or isinstance(error, torch.cuda.OutOfMemoryError):
                raise
            self.failure = f'it does not predict here ({type(error).__name__}: {error})'
            return None


@torch.no_grad()
def predict_all(predictors: dict[str, Predictor], batches: Iterable[dict]) -> None:
    """Let networks predict the same batches.

    Args:
        predictors (dict[str, Predictor]): The student as ``'student'``, and
            teachers, which are compared with it.
        batches (Iterable[dict]): Batches of the validation set.
    """
    for batch in batches:
        outputs = {name: one.try_predict(batch) for name, one in predictors.items()}
        for name, samples in outputs.items():
            one = predictors[name]
            if samples is None:
                continue
            if name != 'student' and outputs['student'] is not None:
                one.agreement.add(outputs['student'], samples)
            if one.evaluator is not None:
                one.evaluator.process(data_samples=samples, data_batch=batch)


def score(evaluator: Evaluator, count: int) -> dict[str, float]:
    """Compute the metrics, without the tables that they print.

    Args:
        evaluator (Evaluator): Has processed all predictions.
        count (int): Number of images.
    """
    with quiet():
        return {name: float(value) for name, value in evaluator.evaluate(count).items()}


def build_evaluator(cfg: Config, loader: Any) -> Evaluator:
    """Build the config's evaluator of the validation set."""
    wanted = copy.deepcopy(cfg.val_evaluator)
    if isinstance(wanted, dict) and 'metrics' in wanted:
        evaluator = EVALUATOR.build({'type': 'Evaluator', **wanted})
    else:
        evaluator = Evaluator(wanted)
    evaluator.dataset_meta = getattr(loader.dataset, 'metainfo', None)
    return evaluator


def validation_loader(cfg: Config) -> Any:
    """Build the config's dataloader of the validation set."""
    return Runner.build_dataloader(cfg.val_dataloader, seed=0)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Print and log nothing but warnings."""
    level = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
