"""The distillation wrapper."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from mmengine.registry import MODELS
from torch import Tensor, nn

from ..utils.checks import check_number
from .bare import build_student, check_bare
from .bound import BoundLoss, check_names, require_gradients
from .configs import teacher_configs, with_class_map
from .gradient_ratios import losses_to_compare, measure_ratios, ratios_due
from .layouts import Size
from .methods import choose_losses
from .probe import USUAL_SIZES, Probe, TapUnreached, likely_channels, named_sizes, probe_blank
from .proposals import proposal_taps
from .recorder import Features, Recorder
from .taps import Tap
from .teacher import FrozenTeacher
from .unlabeled import add_unlabeled
from .view import StudentView
from .weighting import weigh_task


@MODELS.register_module()
class KnowledgeDistiller(StudentView):
    r"""Trains any student under any teacher (paper, Sec. 2.3, Eq. 3 and 4).

    .. math:: L = w L_{task} + \sum_k w_k L_k

    The task loss is whatever the student computes; each distillation loss
    compares layers of the student with layers of the teacher.

    The wrapper is a second view of the student (:class:`StudentView`): names
    in checkpoints and optimizers are those of the plain student, and a
    checkpoint loads into the plain student's config. The losses' own
    parameters (align convolutions) are below ``distill_losses.`` beside them.
    The teacher is in none of these, see :class:`FrozenTeacher`. Prediction
    runs the student alone.

    Args:
        student (str | dict): Model config, or the path of a config file (own,
            or ``'mmdet::...'``) that has one. A backbone alone, which needs a
            ``data_preprocessor``, is trained by the distillation losses only,
            see :class:`BackboneOnly`.
        teacher (str | dict, optional): Likewise. Several teachers are a dict
            of names, ``dict(big=dict(model=..., checkpoint=...), vit=...)``,
            and each loss says which one it takes by its ``teacher``. Beside
            ``model`` and ``checkpoint`` it may have ``options``, the ``size``
            ``(height, width)`` of the images that it is to see and a
            ``data_preprocessor``, for a network that names none. A network
            that is no mm model, such as ``dict(type='mmdet.ResNet', ...)`` or
            ``dict(type='torchvision.models.resnet50')``, will do.
            Defaults to None, for losses with ``teacher='self'`` only.
        teacher_checkpoint (str, optional): Path or URL of the teacher's
            weights, read when training begins. Defaults to None.
        method (str | dict | Sequence, optional): What is compared, by name, as
            ``'pkd'``; see :func:`choose_losses`. Defaults to None.
        distill_losses (Sequence[dict]): Configs of :class:`DistillLoss`\ es,
            beside those of the method. Defaults to none.
        task_weight (float, optional): Weight of all of the student's own
            losses. Defaults to None, that of the method, which is 1 for most.
        class_map (Sequence[int] | dict, optional): For losses of class logits
            under a teacher of other classes, see :class:`ClassMap`; of several
            teachers a dict by name. Defaults to None; ``tools/train.py`` finds
            it by the classes' names.
        teacher_options (dict, optional): How the teacher's forward is made
            faster, arguments of :class:`Acceleration`: ``fold_bn``,
            ``channels_last``, ``dtype``, ``compile``. Of several teachers,
            each may have its own ``options``. Defaults to None, as it is.
        allow_random_teacher (bool): Train without a teacher checkpoint, under
            a teacher of random weights. Defaults to False.
        allow_pickle (bool): Load a teacher checkpoint that holds pickled
            objects, which can run code; only for files you trust.
            Defaults to False.
        data_preprocessor (dict, optional): Given to a student and to teachers
            that name none of their own; mmpretrain's configs have it beside
            the model. Defaults to None: such a teacher sees the images as
            the student does.
        probe_size (tuple[int]): Height and width of the blank image that
            tells the shapes of the features; networks of a fixed size are
            asked for theirs. Defaults to (64, 64).
        ratio_interval (int): Every so many iterations ``grad_ratio_*`` is
            logged for each loss, the norm of its gradient at the student's
            layer over that of the task's; 0 never does. Defaults to 100.

    Attributes:
        student (nn.Module): The plain student.
        teachers (dict[str, FrozenTeacher]): The teachers, by name.
        distill_losses (nn.ModuleList): The losses.
        bound (list[BoundLoss]): The losses with the layers they compare.
        chosen (dict): What the method chose: ``distill_losses`` and, where
            it has one, ``task_weight``.
        unlabeled (dict, optional): A batch without labels for the next
            :meth:`loss`, see :class:`UnlabeledHook`.

    Raises:
        ValueError: If a layer or a teacher does not exist, layers cannot be
            compared, two losses have the same name, or the student is
            distilled already.

    Examples:
        >>> model = dict(
        ...     type='KnowledgeDistiller',
        ...     student='mmdet::retinanet/retinanet_r18_fpn_1x_coco.py',
        ...     teacher='mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
        ...     teacher_checkpoint='retinanet_r50.pth',
        ...     method='pkd')
    """

    ratio_interval: int
    task_weight: float
    chosen: dict[str, Any]
    teachers: dict[str, FrozenTeacher]
    bound: list[BoundLoss]
    unlabeled: dict | None = None
    _clone: list[Tap]
    _grids: set[str]

    def __init__(
        self,
        student: str | dict,
        teacher: str | dict | None = None,
        teacher_checkpoint: str | None = None,
        method: str | dict | Sequence | None = None,
        distill_losses: Sequence[dict] = (),
        task_weight: float | None = None,
        class_map: Sequence[int] | dict | None = None,
        teacher_options: dict | None = None,
        allow_random_teacher: bool = False,
        allow_pickle: bool = False,
        data_preprocessor: dict | None = None,
        probe_size: tuple[int, int] = (64, 64),
        ratio_interval: int = 100,
    ) -> None:
        net, shared = build_student(student, data_preprocessor)
        super().__init__(net)
        self.ratio_interval = ratio_interval
        self.teachers = {
            name: FrozenTeacher(
                student_inputs=self.student.data_preprocessor,
                allow_random=allow_random_teacher,
                allow_pickle=allow_pickle,
                **{'options': teacher_options, 'data_preprocessor': shared, **cfg},
            )
            for name, cfg in teacher_configs(teacher, teacher_checkpoint).items()
        }
        self.chosen = choose_losses(method, self.student, self._nets, class_map) if method else {}
        weight = self.chosen.get('task_weight', 1.0) if task_weight is None else task_weight
        check_number('task_weight', weight, least=0)
        self.task_weight = weight
        losses = [*self.chosen.get('distill_losses', ()), *distill_losses]
        losses = with_class_map(losses, class_map, list(self.teachers))
        # as for the teacher: the student's random stream stays its own
        with torch.random.fork_rng(devices=[]):
            self.distill_losses = nn.ModuleList(MODELS.build(cfg) for cfg in losses)
            check_bare(self.student, self.distill_losses)
            self._bind(probe_size)

    @property
    def teacher(self) -> FrozenTeacher:
        """The first teacher."""
        return next(iter(self.teachers.values()))

    @property
    def _nets(self) -> dict[str, nn.Module]:
        return {name: teacher.net for name, teacher in self.teachers.items()}

    def _bind(self, probe_size: Size) -> None:
        """Find the layers of all losses and make their connectors."""
        self.bound = [BoundLoss(loss, self.student, self._nets) for loss in self.distill_losses]
        check_names(self.bound)
        taps = _taps(bound.student_taps for bound in self.bound)
        sizes = [probe_size, *named_sizes(self.student), *USUAL_SIZES]
        seen = probe_blank(self.student, taps, sizes, likely_channels(self.student))
        own, others = {seen.size: seen}, dict(self=seen)
        for name, teacher in self.teachers.items():
            theirs = _taps(bound.teacher_taps for bound in self.bound if bound.teacher == name)
            other = others[name] = teacher.probe(theirs, seen.size, seen.channels)
            if teacher.sizes.fixed and other.size not in own:
                own[other.size] = self._at_size(other.size, seen, taps)
        for bound in self.bound:
            other = others[bound.teacher]
            bound.build(own.get(other.size, seen), other)
        self._clone = seen.clone
        self._grids = set().union(*(probe.grids for probe in own.values()))

    def _at_size(self, size: Size, seen: Probe, taps: Sequence[Tap]) -> Probe:
        """Probe the student at a teacher's size, if it takes that."""
        try:
            return probe_blank(self.student, taps, [size], [seen.channels])
        except TapUnreached:
            return seen

    def forward(
        self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor'
    ) -> Any:
        """Run the student, and the distillation losses in ``'loss'`` mode.

        Args:
            inputs (Tensor): Images ``(N, C, H, W)``.
            data_samples (list, optional): Their data samples.
            mode (str): ``'loss'``, ``'predict'`` or ``'tensor'``; the last
                two are the student alone.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        return self.student(inputs, data_samples, mode=mode)

    def loss(self, inputs: Tensor, data_samples: list | None) -> dict[str, Tensor]:
        """Compute the losses of the student and of the distillation.

        Args:
            inputs (Tensor): Images ``(N, C, H, W)``, preprocessed.
            data_samples (list, optional): Their data samples.

        Returns:
            dict[str, Tensor]: The student's own losses and, for each pair of
            each distillation loss, the weighted ``loss_{name}.{layer}``; for
            the log only, the unweighted ``raw_{name}.{layer}`` where that
            differs, ``weight_{name}.{layer}`` where it is found, and at an
            interval ``grad_ratio_{name}.{layer}``.
        """
        weights = {bound: bound.loss.current_weights() for bound in self.bound}
        active = [bound for bound in self.bound if any(weights[bound])]
        losses, student, features = self.observe(inputs, data_samples, active)
        terms = {
            bound: bound.terms(student, features[bound.teacher], data_samples)
            if bound in active
            else bound.idle_terms(inputs)
            for bound in self.bound
        }
        if self.unlabeled is not None:
            batch, self.unlabeled = self.unlabeled, None
            add_unlabeled(self, batch, terms, active, len(inputs))
        # to the task's gradient, if there is a task
        due = bool(losses) and ratios_due(self.ratio_interval)
        compared = {b: (terms[b], weights[b]) for b in losses_to_compare(active, due)}
        ratios: dict[str, Tensor] | None = {}
        if compared:
            ratios = measure_ratios(compared, student, self.parse_losses(losses)[0])
        for bound in self.bound:
            losses.update(bound.weigh(terms[bound], weights[bound]))
        if ratios is None:
            self.ratio_interval = 0
        elif due:
            losses.update(ratios)
        return losses

    def observe(
        self, inputs: Tensor, data_samples: list | None, active: Sequence[BoundLoss]
    ) -> tuple[dict, Features, dict[str, Features]]:
        """Run the student and the teachers, and record what losses compare.

        Args:
            inputs (Tensor): Images ``(N, C, H, W)``, preprocessed.
            data_samples (list, optional): Their data samples.
            active (Sequence[BoundLoss]): The losses.

        Returns:
            tuple: The student's own losses, weighted; its features; and those
            of the teachers by name, without gradient, with ``'self'``.
        """
        features = self._teacher_features(active, inputs, data_samples)
        with self._recorder(active) as recorder:
            losses = weigh_task(self.student(inputs, data_samples, mode='loss'), self.task_weight)
        student = recorder.features
        student.size = tuple(inputs.shape[-2:])
        if torch.is_grad_enabled():
            require_gradients(active, recorder.without_grad)
        features.update(self._teacher_features(active, inputs, data_samples, student))
        features['self'] = student.detach()
        return losses, student, features

    def _recorder(self, active: Sequence[BoundLoss]) -> Recorder:
        """Record what losses want of the student."""
        taps = _taps(bound.student_taps for bound in active)
        taps += _taps(bound.context.values() for bound in active)
        if any(bound.loss.same_proposals for bound in active):
            taps += proposal_taps(self.student)
        return Recorder(self.student, taps, clone=self._clone, grids=self._grids)

    def _teacher_features(
        self,
        active: Sequence[BoundLoss],
        inputs: Tensor,
        data_samples: list | dict | None,
        student: Features | None = None,
    ) -> dict[str, Features]:
        """Compute features of the teachers that run before the student, or after.

        Those that score the student's proposals have to wait for them. The
        others go first, when the student's activations are not yet held.
        """
        features = {}
        for name, teacher in self.teachers.items():
            theirs = [bound for bound in active if bound.teacher == name]
            waits = any(bound.loss.same_proposals for bound in theirs)
            if not theirs or waits != (student is not None):
                continue
            self.load_teacher(name)
            proposals = None
            if student is not None:
                proposals = [student[tap][0] for tap in proposal_taps(self.student)]
            taps = _taps(bound.teacher_taps for bound in theirs)
            features[name] = teacher(inputs, data_samples, taps, proposals)
        return features

    def load_teacher(self, name: str) -> None:
        """Read a teacher's weights, once; it follows the student's device.

        Args:
            name (str): The teacher's name.
        """
        teacher = self.teachers[name]
        first = not teacher.loaded
        teacher.load(like=next(self.parameters()))
        if not first:
            return
        for bound in self.bound:
            if bound.teacher == name:
                modules = [teacher.net.get_submodule(t.path) for _, t in bound.taps]
                bound.loss.attach_teacher(modules, teacher.net)

    def val_step(self, data: tuple | dict | list) -> list:
        """Predict by the student alone."""
        return self.student.val_step(data)

    def test_step(self, data: dict | tuple | list) -> list:
        """Predict by the student alone."""
        return self.student.test_step(data)

    def init_weights(self) -> None:
        """Initialise the student and read the teachers' weights."""
        self.student.init_weights()
        for name in self.teachers:
            self.load_teacher(name)

    def train(self, mode: bool = True) -> 'KnowledgeDistiller':
        """Set the student's mode; the teachers stay in eval."""
        self.training = mode
        self.student.train(mode)
        return self


def _taps(several: Iterable[Iterable[Tap]]) -> list[Tap]:
    return [tap for taps in several for tap in taps]
