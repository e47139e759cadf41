"""The distillation wrapper."""
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from .losses import DistillLoss
from .taps import Recorder, Tap
from .teacher import FrozenTeacher, model_config, probe


@MODELS.register_module()
class KnowledgeDistiller(BaseModel):
    r"""Trains any student under any teacher (paper, Sec. 2.3, Eq. 3 and 4).

    .. math:: L = L_{task} + \sum_k w_k L_k

    The task loss is whatever the student computes; each distillation loss
    compares layers of the student with layers of the teacher.

    The wrapper is a second view of the student: it holds the very same
    dictionaries of parameters, buffers and submodules, so names in
    checkpoints and optimizers are those of the plain student, and a
    checkpoint loads into the plain student's config. The losses' own
    parameters (align convolutions) are below ``distill_losses.`` beside them.
    The teacher is in none of these, see :class:`FrozenTeacher`. Prediction
    runs the student alone.

    Args:
        student (str | dict): Model config, or the path of a config file (own,
            or ``'mmdet::...'``) that has one.
        teacher (str | dict): Likewise.
        teacher_checkpoint (str, optional): Path or URL of the teacher's
            weights, read when training begins. Defaults to None.
        distill_losses (Sequence[dict]): Configs of :class:`DistillLoss`\ es.
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

    Raises:
        ValueError: If a layer does not exist, two losses have the same name,
            or a student parameter is called ``distill_losses``.

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

    def __init__(self,
                 student: Union[str, dict],
                 teacher: Union[str, dict],
                 teacher_checkpoint: Optional[str] = None,
                 distill_losses: Sequence[dict] = (),
                 allow_random_teacher: bool = False,
                 allow_pickle: bool = False,
                 data_preprocessor: Optional[dict] = None,
                 probe_size: Tuple[int, int] = (64, 64)) -> None:
        super().__init__()
        student = model_config(student)
        if data_preprocessor is not None:
            student.setdefault('data_preprocessor', data_preprocessor)
        student = MODELS.build(student)
        if hasattr(student, 'distill_losses'):
            raise ValueError(f'{type(student).__name__} has distill_losses of '
                             'its own; a distiller cannot be distilled.')
        # Not registered as a child: see the class's docstring.
        object.__setattr__(self, 'student', student)
        self._parameters = student._parameters
        self._buffers = student._buffers
        self._non_persistent_buffers_set = student._non_persistent_buffers_set
        self._modules = student._modules

        self.teacher = FrozenTeacher(teacher, teacher_checkpoint,
                                     allow_random_teacher, allow_pickle)
        self.teacher.adapt_inputs(student.data_preprocessor)
        # as for the teacher: the student's random stream stays its own
        with torch.random.fork_rng(devices=[]):
            self.distill_losses = nn.ModuleList(
                MODELS.build(cfg) for cfg in distill_losses)
            self._connect(probe_size)

    def _connect(self, probe_size: Tuple[int, int]) -> None:
        """Find the layers of all losses and make their connectors."""
        net = self.teacher.net
        self.taps: List[List[Tuple[Tap, Tap]]] = [[
            (Tap.parse(s, self.student), Tap.parse(t, net))
            for s, t in loss.pairs
        ] for loss in self.distill_losses]
        self.loss_names = self._name_losses()

        meta = dict(
            img_shape=probe_size,
            ori_shape=probe_size,
            pad_shape=probe_size,
            batch_input_shape=probe_size,
            scale_factor=(1., 1.))
        batch = torch.zeros(1, 3, *probe_size), [BaseDataElement(metainfo=meta)]
        pairs = [pair for pairs in self.taps for pair in pairs]
        student, _, self._clone = probe(self.student, [s for s, _ in pairs],
                                        *batch)
        teacher = self.teacher.probe([t for _, t in pairs], *batch)
        for loss, pairs in zip(self.distill_losses, self.taps):
            loss.build([student[s].shape for s, _ in pairs],
                       [teacher[t].shape for _, t in pairs])

    def _name_losses(self) -> List[List[str]]:
        names = []
        for loss in self.distill_losses:
            names.append([
                f'loss_{loss.name}.' +
                (f'stage{s}' if isinstance(s, int) else s)
                for s, _ in loss.pairs
            ])
        flat = sum(names, [])
        for name in flat:
            if flat.count(name) > 1:
                raise ValueError(
                    f"Two distillation losses are called '{name}'; give one "
                    'of them another `name`.')
        return names

    def forward(self,
                inputs: Tensor,
                data_samples: Optional[list] = None,
                mode: str = 'tensor') -> Any:
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

    def loss(self, inputs: Tensor,
             data_samples: Optional[list]) -> Dict[str, Tensor]:
        """Losses of the student and of the distillation.

        Returns:
            dict[str, Tensor]: The student's own losses and one weighted
            ``loss_{name}.{layer}`` for each pair of each distillation loss.
        """
        weights = [loss.current_weights() for loss in self.distill_losses]
        active = [any(w) for w in weights]
        pairs = [
            pair for i, pairs in enumerate(self.taps) if active[i]
            for pair in pairs
        ]
        teacher = {}
        if pairs:
            self.teacher.load(like=next(self.parameters()))
            # before the student, whose activations are then not yet held
            teacher = self.teacher(inputs, data_samples, [t for _, t in pairs])
        with Recorder(
                self.student, [s for s, _ in pairs],
                clone=self._clone) as recorder:
            losses = dict(self.student(inputs, data_samples, mode='loss'))

        for i, loss in enumerate(self.distill_losses):
            if active[i]:
                terms = self._terms(loss, self.taps[i], recorder.features,
                                    teacher, data_samples)
            else:
                # Parameters of an idle loss still get a (zero) gradient, or
                # DDP would wait for it.
                zero = sum((p.sum() * 0 for p in loss.parameters()),
                           inputs.new_zeros(()))
                terms = [zero] * len(loss.pairs)
            for name, weight, term in zip(self.loss_names[i], weights[i],
                                          terms):
                losses[name] = weight * term
        return losses

    @staticmethod
    def _terms(loss: DistillLoss, pairs: List[Tuple[Tap, Tap]],
               student: Dict[Tap, List[Tensor]],
               teacher: Dict[Tap, List[Tensor]],
               data_samples: Optional[list]) -> List[Tensor]:
        """Terms of one loss, averaged over the calls of a shared module."""
        calls = {(len(student[s]), len(teacher[t])) for s, t in pairs}
        num_calls = calls.pop()
        if calls or num_calls[0] != num_calls[1]:
            counts = ', '.join(f"'{s}' {len(student[s])} and '{t}' "
                               f'{len(teacher[t])} times' for s, t in pairs)
            raise ValueError(
                f'The layers of {type(loss).__name__} run differently often: '
                f'{counts}; pair layers that run equally often.')
        terms = [
            loss([student[s][i] for s, _ in pairs],
                 [teacher[t][i] for _, t in pairs], data_samples)
            for i in range(num_calls[0])
        ]
        return [sum(term) / len(term) for term in zip(*terms)]

    def val_step(self, data: Union[tuple, dict, list]) -> list:
        """The student's."""
        return self.student.val_step(data)

    def test_step(self, data: Union[dict, tuple, list]) -> list:
        """The student's."""
        return self.student.test_step(data)

    def init_weights(self) -> None:
        """Initialise the student and read the teacher's weights."""
        self.student.init_weights()
        self.teacher.load(like=next(self.parameters()))

    def train(self, mode: bool = True) -> 'KnowledgeDistiller':
        """Set the student's mode; the teacher stays in eval."""
        self.training = mode
        self.student.train(mode)
        return self

    def _apply(self,
               fn: Callable[[Tensor], Tensor],
               recurse: bool = True) -> 'KnowledgeDistiller':
        # all of to(), cuda(), half() and those of a parent come here
        super()._apply(fn, recurse)
        self.teacher.apply(fn)
        return self

    def __getattr__(self, name: str) -> Any:
        # what the wrapper does not have, the student does
        try:
            return super().__getattr__(name)
        except AttributeError:
            if 'student' not in self.__dict__:
                raise
            return getattr(self.student, name)
