"""Using what was trained: export, checks and predictions of files."""
