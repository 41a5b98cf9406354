"""Compiling of steps: the rule that decides, and the checks of values that XLA drops."""
