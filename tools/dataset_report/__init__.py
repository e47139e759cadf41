"""The page of tools/analysis_tools/check_dataset.py."""

from .page import write_page

__all__ = ['write_page']
