"""How fast this machine is, to estimate times."""

import time

import torch
from torch import nn

# Seconds of the workload on the machine that estimates were measured on: two
# cores of an AMD EPYC 9004.
REFERENCE = 0.14


def slowness() -> float:
    """Measure how many times slower this machine is than the reference.

    Returns:
        float: From the time of a few convolutions, forward and backward, on
        the device that training will use; takes about a second.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    net = nn.Sequential(*[nn.Conv2d(64, 64, 3, padding=1) for _ in range(4)])
    net.to(device)
    batch = torch.rand(8, 64, 64, 64, device=device)
    times = []
    for _ in range(6):
        start = time.perf_counter()
        net(batch).sum().backward()
        if device == 'cuda':
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times) / REFERENCE
