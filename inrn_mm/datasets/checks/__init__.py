"""What is wrong with data sets, said before a training starts."""

from .findings import Finding, Findings
from .whole import check_config

__all__ = ['Finding', 'Findings', 'check_config']
