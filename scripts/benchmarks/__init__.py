"""Benchmarks of ``scripts/bench``."""
