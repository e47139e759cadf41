"""How strong the gradient of each distillation loss is, beside the task's."""

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from mmengine.logging import MessageHub, print_log
from torch import Tensor

from .bound import BoundLoss
from .recorder import Features
from .weighting import log_name

# Training in float16 scales its loss, and so does this: gradients at float16
# features would be too small for their type. The ratios do not depend on it.
_SCALE = 2.0**10

Terms = Mapping[str, tuple[Tensor, Sequence[Tensor]]]


class Gradients(NamedTuple):
    """Gradients of a loss and of the task at a layer, times an unknown factor.

    Args:
        own (Tensor): Norm of that of the loss, 0 where there is none.
        task (Tensor): Norm of that of the task.
        dot (Tensor): Their inner product.
    """

    own: Tensor
    task: Tensor
    dot: Tensor

    @property
    def ratio(self) -> Tensor:
        """Norm of the loss's over that of the task's, 0 if one has none."""
        return self.own / self.task.clamp(min=1e-12) * (self.task > 0)

    @property
    def cosine(self) -> Tensor:
        """Cosine of the angle between them, NaN if one has none."""
        return self.dot / (self.own * self.task)


def layer_gradients(terms: Terms, task: Tensor) -> dict[str, Gradients]:
    """Compute gradients of losses and of the task at features of the student.

    Parameter gradients, and so DDP, are left alone.

    Args:
        terms (Mapping[str, tuple[Tensor, Sequence[Tensor]]]): For each
            weighted distillation loss, a scalar, the features that both it
            and the task depend on: one for each call of the layer.
        task (Tensor): The student's own loss, a scalar.

    Returns:
        dict[str, Gradients]: By the names of the losses.
    """
    # one pass through the student's heads for all features
    features = list({id(x): x for _, xs in terms.values() for x in xs}.values())
    of_task = dict(zip(map(id, features), _gradients(task, features)))
    found = {}
    for name, (term, xs) in terms.items():
        pairs = [(own, of_task[id(x)]) for own, x in zip(_gradients(term, xs), xs)]
        own, its = (torch.stack([grad.norm() for grad in side]).norm() for side in zip(*pairs))
        found[name] = Gradients(own, its, torch.stack([(a * b).sum() for a, b in pairs]).sum())
    return found


def _gradients(loss: Tensor, features: Sequence[Tensor]) -> list[Tensor]:
    """Compute a loss's gradients at features, a zero where there is none."""
    wanted = [x for x in features if x.requires_grad] if loss.requires_grad else []
    grads = (
        torch.autograd.grad(loss * _SCALE, wanted, retain_graph=True, allow_unused=True)
        if wanted
        else ()
    )
    found = dict(zip(map(id, wanted), grads))
    return [
        x.new_zeros(()).float() if found.get(id(x)) is None else found[id(x)].float()
        for x in features
    ]


def ratios_due(interval: int) -> bool:
    """Tell whether the running iteration logs the ratios of all losses.

    Args:
        interval (int): Every so many iterations; 0 never does. Outside of a
            runner none does.
    """
    iteration = MessageHub.get_current_instance().get_info('iter', 1)
    return bool(interval) and iteration % interval == 0


def losses_to_compare(active: Sequence[BoundLoss], due: bool) -> list[BoundLoss]:
    """List the losses whose gradients an iteration compares with the task's.

    Args:
        active (Sequence[BoundLoss]): The losses that are not idle.
        due (bool): Whether the ratios of all are to be logged.
    """
    if not torch.is_grad_enabled():
        return []
    return [b for b in active if due or (b.loss.auto and not b.loss.auto.fixed)]


def measure_ratios(
    compared: Mapping[BoundLoss, tuple[Sequence[Tensor], Sequence[float]]],
    student: Features,
    task: Tensor,
) -> dict[str, Tensor] | None:
    """Compute the ratios of losses, and let those learn that look for a weight.

    Args:
        compared (Mapping[BoundLoss, tuple]): Unweighted terms and weights of
            each loss.
        student (Features): The student's features.
        task (Tensor): The student's own loss, a scalar.

    Returns:
        dict[str, Tensor] | None: By their names in the log; None where the
        student's graph does not allow it.

    Raises:
        ValueError: If the graph does not allow it and a weight depends on it,
            or none is found.
    """
    trials = {
        b: b.loss.auto.trial_scales() if b.loss.auto else [1.0] * len(b.names) for b in compared
    }
    weighted = {
        name: (weight * scale * term, student[tap])
        for bound, values in compared.items()
        for name, (tap, _), scale, term, weight in zip(
            bound.names, bound.taps, trials[bound], *values
        )
    }
    try:
        ratios = {name: x.ratio for name, x in layer_gradients(weighted, task).items()}
    except RuntimeError as error:
        # reentrant checkpointing refuses torch.autograd.grad
        if 'checkpoint' not in str(error).lower():
            raise
        reason = (
            "the student recomputes activations in torch's reentrant way (with_cp=True), which "
            'does not allow '
        )
        looking = [b.loss.auto for b in compared if b.loss.auto and not b.loss.auto.fixed]
        if looking:
            raise ValueError(
                f"The weight '{looking[0]}' cannot be found: {reason}it; give a number, or set "
                'with_cp=False.'
            ) from None
        print_log(
            f'The ratios of gradients are not logged: {reason}them.', 'current', logging.WARNING
        )
        return None
    for bound, (_, weights) in compared.items():
        finder = bound.loss.auto
        if finder and not finder.fixed:
            finder.update([ratios[name] for name in bound.names], weights, bound.names)
            for name, tried, scale in zip(bound.names, trials[bound], finder.scales()):
                ratios[name] = ratios[name] * scale / tried
    return {log_name('grad_ratio', name): ratio for name, ratio in ratios.items()}
