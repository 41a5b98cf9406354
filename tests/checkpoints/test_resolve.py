"""Paths that name a checkpoint."""
