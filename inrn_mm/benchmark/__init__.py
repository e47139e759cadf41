"""Measurements of speed and memory, for
``tools/analysis_tools/benchmark.py``.

Each module but :mod:`timing`, :mod:`machine` and :mod:`table` is a
sub-command, with a function ``run`` of the parsed arguments that returns
``dict(rows=[...], ...)``, and ``COLUMNS``, the table that is printed.
"""
