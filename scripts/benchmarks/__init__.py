"""Benchmarks; scripts/bench runs them."""
