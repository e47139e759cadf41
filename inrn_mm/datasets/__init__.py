"""Data that mm has no datasets for."""
