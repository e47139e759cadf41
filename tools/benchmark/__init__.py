"""Measurements of speed and memory, for
``tools/analysis_tools/benchmark.py``.

A sub-command is a module of its name, with a function ``run`` of the parsed
arguments that returns ``dict(rows=[...], ...)``, and ``COLUMNS``, the table
that is printed.
"""
