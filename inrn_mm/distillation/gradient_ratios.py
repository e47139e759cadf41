"""How strong the gradient of each distillation loss is, beside the task's."""

import logging
from collections.abc import Sequence

import torch
from mmengine.logging import print_log
from torch import Tensor

from .bound import BoundLoss
from .recorder import Features

# Training in float16 scales its loss, and so does this: gradients at float16
# features would be too small for their type. The ratios do not depend on it.
_SCALE = 2.0**10


def gradient_ratios(terms: dict[str, tuple[Tensor, Tensor]], task: Tensor) -> dict[str, Tensor]:
    """Compare the gradients of losses at a feature with that of the task.

    Far above 1 a loss drowns the task, far below it does nothing. Parameter
    gradients, and so DDP, are left alone.

    Args:
        terms (dict[str, tuple[Tensor, Tensor]]): For each weighted
            distillation loss, a scalar, the student's feature that both it
            and the task depend on.
        task (Tensor): The student's own loss, a scalar.

    Returns:
        dict[str, Tensor]: The ratios, 0 where one of the two has no gradient.
    """
    # one pass through the student's heads for all features
    features = list({id(x): x for _, x in terms.values()}.values())
    task_norms = dict(zip(map(id, features), _norms(task, features)))
    return {
        name: _norms(term, [x])[0] / task_norms[id(x)].clamp(min=1e-12) * (task_norms[id(x)] > 0)
        for name, (term, x) in terms.items()
    }


def _norms(loss: Tensor, features: list) -> list:
    """Compute norms of a loss's gradients at features, 0 where there is none."""
    wanted = [x for x in features if x.requires_grad] if loss.requires_grad else []
    grads = (
        torch.autograd.grad(loss * _SCALE, wanted, retain_graph=True, allow_unused=True)
        if wanted
        else ()
    )
    found = dict(zip(map(id, wanted), grads))
    return [
        x.new_zeros(()).float() if found.get(id(x)) is None else found[id(x)].float().norm()
        for x in features
    ]


def compare_gradients(
    active: Sequence[BoundLoss], losses: dict[str, Tensor], student: Features, task: Tensor
) -> dict[str, Tensor] | None:
    """Compute the ratios of all losses.

    Args:
        active (Sequence[BoundLoss]): The losses that are not idle.
        losses (dict[str, Tensor]): Their weighted terms, ``loss_{name}``.
        student (Features): The student's features.
        task (Tensor): The student's own loss, a scalar.

    Returns:
        dict[str, Tensor] | None: By their names in the log; None where the
        student's graph does not allow it.
    """
    compared = {
        log_name('grad_ratio', name): (losses[f'loss_{name}'], student[tap][0])
        for bound in active
        for name, (tap, _) in zip(bound.names, bound.taps)
    }
    try:
        return gradient_ratios(compared, task)
    except RuntimeError as error:
        # reentrant checkpointing refuses torch.autograd.grad
        if 'checkpoint' not in str(error).lower():
            raise
        print_log(
            'The ratios of gradients are not logged: the student recomputes activations in '
            "torch's reentrant way (with_cp=True), which does not allow them.",
            'current',
            logging.WARNING,
        )
        return None


def log_name(prefix: str, name: str) -> str:
    """Make a name that is logged but not added to the total loss.

    Args:
        prefix (str): What is logged.
        name (str): Name of the loss and its layer.
    """
    return f'{prefix}_{name}'.replace('loss', 'l.')
