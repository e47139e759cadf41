"""Helpers for users, outside of any network."""
