"""Fixtures of these tests."""

from compact_files import file  # noqa: F401
