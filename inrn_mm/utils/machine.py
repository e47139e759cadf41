"""A line that describes the machine, for reports."""

import platform
import re
from pathlib import Path

import torch


def describe(device: str = 'cpu') -> str:
    """Name the processor and what matters for its speed, in one line.

    Args:
        device (str): ``'cpu'``, or a GPU such as ``'cuda:0'``.
            Defaults to ``'cpu'``.

    Returns:
        str: For the CPU its name, torch's threads and the vector units in use;
        for a GPU its name; and torch's version.
    """
    if torch.device(device).type == 'cuda':
        name = torch.cuda.get_device_name(device)
    else:
        cpu = Path('/proc/cpuinfo')
        found = re.search(r'model name\s*: (.*)', cpu.read_text()) if cpu.exists() else None
        name = found.group(1) if found else platform.processor()
        count = torch.get_num_threads()
        name += f', {count} thread' + 's' * (count > 1)
        name += f', {torch.backends.cpu.get_cpu_capability()}'
    return f'{name}; torch {torch.__version__}'
