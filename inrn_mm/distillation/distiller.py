"""The distillation wrapper."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.logging import MessageHub, print_log
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from .gradient_ratios import gradient_ratios
from .losses import DistillLoss
from .proposals import PROPOSALS, check_same_boxes, check_two_stage
from .taps import Recorder, Tap
from .teacher import FrozenTeacher, model_config, probe
from .tokens import tokens_to_map
from .view import StudentView


@MODELS.register_module()
class KnowledgeDistiller(StudentView):
    r"""Trains any student under any teacher (paper, Sec. 2.3, Eq. 3 and 4).

    .. math:: L = L_{task} + \sum_k w_k L_k

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
            or ``'mmdet::...'``) that has one.
        teacher (str | dict, optional): Likewise. Several teachers are a dict
            of names, ``dict(big=dict(model=..., checkpoint=...), vit=...)``,
            and each loss says which one it takes by its ``teacher``.
            Defaults to None, for losses with ``teacher='self'`` only.
        teacher_checkpoint (str, optional): Path or URL of the teacher's
            weights, read when training begins. Defaults to None.
        distill_losses (Sequence[dict]): Configs of :class:`DistillLoss`\ es.
        teacher_options (dict, optional): How the teacher's forward is made
            faster, arguments of :class:`Acceleration`: ``fold_bn``,
            ``channels_last``, ``dtype``, ``compile``. Of several teachers,
            each may have its own ``options``. Defaults to None, as it is.
        allow_random_teacher (bool): Train without a teacher checkpoint, under
            a teacher of random weights. Defaults to False.
        allow_pickle (bool): Load a teacher checkpoint that holds pickled
            objects, which can run code; only for files you trust.
            Defaults to False.
        data_preprocessor (dict, optional): Given to a student that names none
            of its own; mmpretrain's configs have it beside the model.
            Defaults to None.
        probe_size (tuple[int]): Height and width of the blank image that
            tells the shapes of the features. Defaults to (64, 64).
        ratio_interval (int): Every so many iterations ``grad_ratio_*`` is
            logged for each loss, the norm of its gradient at the student's
            layer over that of the task's; 0 never does. Defaults to 100.

    Raises:
        ValueError: If a layer or a teacher does not exist, two losses have
            the same name, or the student is distilled already.

    Examples:
        >>> model = dict(
        ...     type='KnowledgeDistiller',
        ...     student='mmdet::retinanet/retinanet_r18_fpn_1x_coco.py',
        ...     teacher='mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
        ...     teacher_checkpoint='retinanet_r50.pth',
        ...     distill_losses=[
        ...         dict(type='StageMSELoss', pairs=[(2, 2), (3, 3)])
        ...     ])
    """

    ratio_interval: int
    teachers: dict[str, FrozenTeacher]
    taps: list[list[tuple[Tap, Tap]]]
    label_taps: list[Tap | None]
    loss_names: list[list[str]]
    _clone: list[Tap]

    def __init__(
        self,
        student: str | dict,
        teacher: str | dict | None = None,
        teacher_checkpoint: str | None = None,
        distill_losses: Sequence[dict] = (),
        teacher_options: dict | None = None,
        allow_random_teacher: bool = False,
        allow_pickle: bool = False,
        data_preprocessor: dict | None = None,
        probe_size: tuple[int, int] = (64, 64),
        ratio_interval: int = 100,
    ) -> None:
        student = model_config(student)
        if data_preprocessor is not None:
            student.setdefault('data_preprocessor', data_preprocessor)
        super().__init__(MODELS.build(student))
        student = self.student

        self.ratio_interval = ratio_interval
        self.teachers = {
            name: FrozenTeacher(
                allow_random=allow_random_teacher,
                allow_pickle=allow_pickle,
                **{'options': teacher_options, **cfg},
            )
            for name, cfg in _teachers(teacher, teacher_checkpoint).items()
        }
        for each in self.teachers.values():
            each.adapt_inputs(student.data_preprocessor)
        # as for the teacher: the student's random stream stays its own
        with torch.random.fork_rng(devices=[]):
            self.distill_losses = nn.ModuleList(MODELS.build(cfg) for cfg in distill_losses)
            self._connect(probe_size)

    @property
    def teacher(self) -> FrozenTeacher:
        """The first teacher."""
        return next(iter(self.teachers.values()))

    def _connect(self, probe_size: tuple[int, int]) -> None:
        """Find the layers of all losses and make their connectors."""
        for loss in self.distill_losses:
            self._choose_teacher(loss)
        self.taps = [
            [(Tap.parse(s, self.student), Tap.parse(t, self._net(loss))) for s, t in loss.pairs]
            for loss in self.distill_losses
        ]
        for loss, pairs in zip(self.distill_losses, self.taps):
            if loss.teacher != 'self':
                check_same_boxes(sum(pairs, ()), loss.same_proposals)
        self.label_taps = [
            loss.label_layer and Tap.parse(loss.label_layer, self.student)
            for loss in self.distill_losses
        ]
        self.loss_names = self._name_losses()

        meta = dict(
            img_shape=probe_size,
            ori_shape=probe_size,
            pad_shape=probe_size,
            batch_input_shape=probe_size,
            scale_factor=(1.0, 1.0),
        )
        image = torch.zeros(1, 3, *probe_size)
        batch = image, [BaseDataElement(metainfo=meta)]
        active = range(len(self.taps))
        student, _, self._clone = probe(self.student, self._student_taps(active), *batch)
        found = {
            name: teacher.probe(self._teacher_taps(active, name), *batch)
            for name, teacher in self.teachers.items()
        }
        found['self'] = student
        for loss, pairs in zip(self.distill_losses, self.taps):
            features = zip(
                *(_alike(student[s], found[loss.teacher][t], probe_size) for s, t in pairs)
            )
            loss.build(*([x.shape for x in side] for side in features))

    def _choose_teacher(self, loss: DistillLoss) -> None:
        names = [*self.teachers, 'self']
        if loss.teacher is None:
            if len(self.teachers) != 1:
                raise ValueError(
                    f'{type(loss).__name__} must say which teacher it takes, '
                    f'by teacher= one of {names}.'
                )
            loss.teacher = names[0]
        if loss.teacher not in names:
            raise ValueError(
                f"{type(loss).__name__} takes the teacher '{loss.teacher}', "
                f'which is not there; choose one of {names}.'
            )
        if loss.same_proposals:
            check_two_stage(self.student, self._net(loss))

    def _net(self, loss: DistillLoss) -> nn.Module:
        """The network that a loss's second layers are in."""
        return self.student if loss.teacher == 'self' else self.teachers[loss.teacher].net

    def _student_taps(self, active: Sequence[int]) -> list[Tap]:
        taps = [s for i in active for s, _ in self.taps[i]]
        return taps + [
            t for i in active if self.distill_losses[i].teacher == 'self' for _, t in self.taps[i]
        ]

    def _teacher_taps(self, active: Sequence[int], name: str) -> list[Tap]:
        return [
            t for i in active if self.distill_losses[i].teacher == name for _, t in self.taps[i]
        ]

    def _name_losses(self) -> list[list[str]]:
        names = []
        for loss in self.distill_losses:
            names.append(
                [
                    f'{loss.name}.' + (f'stage{s}' if isinstance(s, int) else s)
                    for s, _ in loss.pairs
                ]
            )
        flat = sum(names, [])
        for name in flat:
            if flat.count(name) > 1:
                raise ValueError(
                    f"Two distillation losses are called '{name}'; give one of them another `name`."
                )
        return names

    def forward(
        self, inputs: Tensor, data_samples: list | None = None, mode: str = 'tensor'
    ) -> Any:
        """As the student's, with the distillation losses in ``'loss'`` mode.

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
        """Losses of the student and of the distillation.

        Args:
            inputs (Tensor): Images ``(N, C, H, W)``, preprocessed.
            data_samples (list, optional): Their data samples.

        Returns:
            dict[str, Tensor]: The student's own losses and, for each pair of
            each distillation loss, the weighted ``loss_{name}.{layer}``; for
            the log only, the unweighted ``raw_{name}.{layer}`` where that
            differs, and at an interval ``grad_ratio_{name}.{layer}``.
        """
        weights = [loss.current_weights() for loss in self.distill_losses]
        active = [i for i, w in enumerate(weights) if any(w)]
        features = self._teacher_features(active, inputs, data_samples)
        with Recorder(
            self.student, self._student_taps(active) + self._extra_taps(active), clone=self._clone
        ) as recorder:
            losses = dict(self.student(inputs, data_samples, mode='loss'))
        student = recorder.features
        if torch.is_grad_enabled():
            self._require_gradients(active, recorder)
        features.update(self._teacher_features(active, inputs, data_samples, student))
        features['self'] = {tap: [x.detach() for x in calls] for tap, calls in student.items()}

        ratios = (
            bool(self.ratio_interval)
            and torch.is_grad_enabled()
            and MessageHub.get_current_instance().get_info('iter', 1) % self.ratio_interval == 0
        )
        task = self.parse_losses(losses)[0] if ratios else None
        compared = {}
        for i, loss in enumerate(self.distill_losses):
            if i in active:
                samples = data_samples
                if self.label_taps[i] is not None:
                    samples = [BaseDataElement(gt_label=x) for x in student[self.label_taps[i]]]
                terms = self._terms(
                    loss, self.taps[i], student, features[loss.teacher], samples, inputs.shape[-2:]
                )
            else:
                # Parameters of an idle loss still get a (zero) gradient, or
                # DDP would wait for it.
                zero = sum((p.sum() * 0 for p in loss.parameters()), inputs.new_zeros(()))
                terms = [zero] * len(loss.pairs)
            for name, weight, term, (tap, _) in zip(
                self.loss_names[i], weights[i], terms, self.taps[i]
            ):
                losses[f'loss_{name}'] = weight * term
                if not loss.unweighted:
                    losses[_quiet('raw', name)] = term.detach()
                if ratios and i in active:
                    compared[_quiet('grad_ratio', name)] = (losses[f'loss_{name}'], student[tap][0])
        if compared:
            losses.update(self._gradient_ratios(compared, task))
        return losses

    def _require_gradients(self, active: Sequence[int], recorder: Recorder) -> None:
        """See that the losses can teach the layers that they compare.

        mmdet's and mmpretrain's blocks with ``with_cp=True`` run without
        autograd, and again in the backward pass.
        """
        lost = recorder.without_grad.intersection(tap for i in active for tap, _ in self.taps[i])
        if lost:
            raise ValueError(
                f"The student's layer '{min(map(str, lost))}' runs without "
                'autograd, so that no loss can teach it: it is in a block '
                'with activation checkpointing; compare the end of its stage '
                'or set with_cp=False there.'
            )

    def _gradient_ratios(self, compared: dict, task: Tensor) -> dict[str, Tensor]:
        """The ratios; none for a student whose graph does not allow it."""
        try:
            return gradient_ratios(compared, task)
        except RuntimeError as error:
            # reentrant checkpointing refuses torch.autograd.grad
            if 'checkpoint' not in str(error).lower():
                raise
            self.ratio_interval = 0
            print_log(
                'The ratios of gradients are not logged: the student '
                "recomputes activations in torch's reentrant way "
                '(with_cp=True), which does not allow them.',
                'current',
                logging.WARNING,
            )
            return {}

    def _extra_taps(self, active: Sequence[int]) -> list[Tap]:
        """What losses want of the student besides features."""
        taps = [self.label_taps[i] for i in active if self.label_taps[i]]
        if any(self.distill_losses[i].same_proposals for i in active):
            taps.append(PROPOSALS)
        return taps

    def _teacher_features(
        self,
        active: Sequence[int],
        inputs: Tensor,
        data_samples: list | None,
        student: dict | None = None,
    ) -> dict[str, dict]:
        """Features of all teachers that run before the student, or after.

        Those that score the student's proposals have to wait for them. The
        others go first, when the student's activations are not yet held.
        """
        features = {}
        for name, teacher in self.teachers.items():
            waits = any(
                self.distill_losses[i].same_proposals
                for i in active
                if self.distill_losses[i].teacher == name
            )
            taps = self._teacher_taps(active, name)
            if not taps or waits != (student is not None):
                continue
            self._load(name)
            proposals = student[PROPOSALS][0] if waits else None
            features[name] = teacher(inputs, data_samples, taps, proposals)
        return features

    def _load(self, name: str) -> None:
        """Read a teacher's weights, once; it follows the student's device."""
        teacher = self.teachers[name]
        first = not teacher.loaded
        teacher.load(like=next(self.parameters()))
        if not first:
            return
        modules = dict(teacher.net.named_modules())
        for loss, pairs in zip(self.distill_losses, self.taps):
            if loss.teacher == name:
                loss.attach_teacher([modules[t.path] for _, t in pairs], teacher.net)

    @staticmethod
    def _terms(
        loss: DistillLoss,
        pairs: list[tuple[Tap, Tap]],
        student: dict[Tap, list[Tensor]],
        teacher: dict[Tap, list[Tensor]],
        data_samples: list | None,
        size: tuple[int, int],
    ) -> list[Tensor]:
        """Terms of one loss, averaged over the calls of a shared module."""
        calls = {(len(student[s]), len(teacher[t])) for s, t in pairs}
        num_calls = calls.pop()
        if calls or num_calls[0] != num_calls[1]:
            counts = ', '.join(
                f"'{s}' {len(student[s])} and '{t}' {len(teacher[t])} times" for s, t in pairs
            )
            raise ValueError(
                f'The layers of {type(loss).__name__} run differently often: '
                f'{counts}; pair layers that run equally often.'
            )
        terms = []
        for i in range(num_calls[0]):
            features = zip(*(_alike(student[s][i], teacher[t][i], size) for s, t in pairs))
            terms.append(loss(*map(list, features), data_samples))
        return [sum(term) / len(term) for term in zip(*terms)]

    def val_step(self, data: tuple | dict | list) -> list:
        """The student's."""
        return self.student.val_step(data)

    def test_step(self, data: dict | tuple | list) -> list:
        """The student's."""
        return self.student.test_step(data)

    def init_weights(self) -> None:
        """Initialise the student and read the teachers' weights."""
        self.student.init_weights()
        for name in self.teachers:
            self._load(name)

    def train(self, mode: bool = True) -> 'KnowledgeDistiller':
        """Set the student's mode; the teachers stay in eval."""
        self.training = mode
        self.student.train(mode)
        return self


def _teachers(teacher: str | dict | None, checkpoint: str | None) -> dict[str, dict]:
    """Arguments of each teacher, by name."""
    if teacher is None:
        return {}
    if isinstance(teacher, str) or 'type' in teacher:
        return dict(teacher=dict(model=teacher, checkpoint=checkpoint))
    for name, cfg in teacher.items():
        if name == 'self' or not isinstance(cfg, dict) or 'model' not in cfg:
            raise ValueError(
                'Several teachers are a dict of names (but not self), each '
                'with a `model` and a `checkpoint`; or, for one teacher, give '
                'its model config, which has a `type`.'
            )
    return {
        name: {key: cfg[key] for key in ('model', 'checkpoint', 'options') if key in cfg}
        for name, cfg in teacher.items()
    }


def _alike(student: Tensor, teacher: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Lay tokens out as a map where the other side has one."""
    if student.dim() == 4 and teacher.dim() == 3:
        teacher = tokens_to_map(teacher, size)
    elif student.dim() == 3 and teacher.dim() == 4:
        student = tokens_to_map(student, size)
    return student, teacher


def _quiet(prefix: str, name: str) -> str:
    """A name that is logged but not added to the total loss."""
    return f'{prefix}_{name}'.replace('loss', 'l.')
