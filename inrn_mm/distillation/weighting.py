"""Losses and weights, as they are summed and logged."""


def weigh_task(losses: dict, weight: float) -> dict:
    """Weight the student's own losses, and leave what is only logged (accuracies).

    Args:
        losses (dict): Tensors or lists of them, by name.
        weight (float): The weight.
    """
    if weight == 1:
        return dict(losses)
    return {
        name: value
        if 'loss' not in name
        else [weight * x for x in value]
        if isinstance(value, (list, tuple))
        else weight * value
        for name, value in losses.items()
    }


def log_name(prefix: str, name: str) -> str:
    """Make a name that is logged but not added to the total loss.

    Args:
        prefix (str): What is logged.
        name (str): Name of the loss and its layer.
    """
    return f'{prefix}_{name}'.replace('loss', 'l.')
