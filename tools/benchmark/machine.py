"""What the machine can do at best."""

import torch

from .timing import interleave, median


@torch.no_grad()
def ceilings(
    device: str = 'cpu', dtype: torch.dtype = torch.float32, iters: int = 7
) -> dict[str, float]:
    """Measure the memory's bandwidth and the arithmetic.

    The bandwidth is that of ``a = b + c`` on arrays far larger than the
    caches, the arithmetic that of a square matrix product.

    Args:
        device (str): Defaults to ``'cpu'``.
        dtype (torch.dtype): Type of the numbers. Defaults to float32.
        iters (int): Rounds. Defaults to 7.

    Returns:
        dict: ``bandwidth`` in bytes per second and ``flops`` in
        multiply-adds per second, both of the median.
    """
    gpu = torch.device(device).type == 'cuda'
    size, side = (2**28, 8192) if gpu else (2**25, 1536)
    a, b, c = torch.rand(3, size, device=device).to(dtype).unbind()
    x, y = torch.rand(2, side, side, device=device).to(dtype).unbind()
    out = torch.empty_like(x)
    seconds = interleave(
        dict(add=lambda: torch.add(b, c, out=a), product=lambda: torch.mm(x, y, out=out)),
        iters,
        device=device,
    )
    return dict(
        bandwidth=3 * size * a.element_size() / median(seconds['add']),
        flops=side**3 / median(seconds['product']),
    )
