"""Steps of mmcv's batch normalisation over processes, with the signatures of ``mmcv._ext``.

mmcv itself exchanges the statistics between them. All maps are of shape (B, C, N).
"""

from torch import Tensor

from .precision import widen


def _expand(vector: Tensor) -> Tensor:
    """Make values of channels fit maps."""
    return vector[:, None]


def sync_bn_forward_mean(input: Tensor, mean: Tensor) -> None:
    """Compute the mean of each channel.

    Args:
        input (Tensor): Maps.
        mean (Tensor): Filled, shape (C, ).
    """
    mean.copy_(widen(input).mean((0, 2)))


def sync_bn_forward_var(input: Tensor, mean: Tensor, var: Tensor) -> None:
    """Compute the mean square of the distance from the mean.

    Args:
        input (Tensor): Maps.
        mean (Tensor): Over all processes, shape (C, ).
        var (Tensor): Filled, shape (C, ).
    """
    var.copy_((widen(input) - _expand(mean)).square().mean((0, 2)))


def sync_bn_forward_output(
    input: Tensor,
    mean: Tensor,
    var: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    norm: Tensor,
    std: Tensor,
    output: Tensor,
    eps: float,
    momentum: float,
    group_size: int,
) -> None:
    """Normalise maps.

    Args:
        input (Tensor): Maps.
        mean (Tensor): Over all processes, shape (C, ), like all vectors.
        var (Tensor): Variance over all processes.
        weight (Tensor, optional): Factor behind the normalisation.
        bias (Tensor, optional): Summand behind it.
        running_mean (Tensor, optional): Moved towards ``mean``.
        running_var (Tensor, optional): Moved towards the unbiased variance.
        norm (Tensor): Filled with what has mean 0 and variance 1, float32.
        std (Tensor): Filled with the standard deviation.
        output (Tensor): Filled.
        eps (float): Added to the variance.
        momentum (float): Weight of this batch in what is moved.
        group_size (int): Number of processes.
    """
    std.copy_((var + eps).sqrt())
    norm.copy_((widen(input) - _expand(mean)) / _expand(std))
    output.copy_(norm if weight is None else norm * _expand(weight) + _expand(bias))
    if running_mean is not None and running_var is not None:
        count = input.shape[0] * input.shape[2] * group_size
        running_mean.lerp_(mean, momentum)
        running_var.lerp_(var * (count / max(count - 1, 1)), momentum)


def sync_bn_backward_param(
    grad_output: Tensor, norm: Tensor, grad_weight: Tensor, grad_bias: Tensor
) -> None:
    """Compute the gradients of weight and bias.

    Args:
        grad_output (Tensor): Gradient of ``output``.
        norm (Tensor): As filled by :func:`sync_bn_forward_output`.
        grad_weight (Tensor): Filled, shape (C, ).
        grad_bias (Tensor): Filled, shape (C, ).
    """
    grad = widen(grad_output)
    grad_weight.copy_((grad * norm).sum((0, 2)))
    grad_bias.copy_(grad.sum((0, 2)))


def sync_bn_backward_data(
    grad_output: Tensor,
    weight: Tensor,
    grad_weight: Tensor,
    grad_bias: Tensor,
    norm: Tensor,
    std: Tensor,
    grad_input: Tensor,
) -> None:
    """Compute the gradient of :func:`sync_bn_forward_output` by its input.

    Args:
        grad_output (Tensor): Gradient of ``output``.
        weight (Tensor): As there.
        grad_weight (Tensor): Mean over the processes, shape (C, ).
        grad_bias (Tensor): Mean over the processes, shape (C, ).
        norm (Tensor): As filled there.
        std (Tensor): As filled there.
        grad_input (Tensor): Filled.
    """
    count = grad_output.shape[0] * grad_output.shape[2]
    common = (_expand(grad_weight) * norm + _expand(grad_bias)) / count
    grad_input.copy_(_expand(weight / std) * (widen(grad_output) - common))
