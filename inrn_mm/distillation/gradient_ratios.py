"""How strong the gradient of each distillation loss is, beside the task's."""

import torch
from torch import Tensor

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
