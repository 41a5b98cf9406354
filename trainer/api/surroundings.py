"""Surroundings of a training inside a program or a notebook: random states and log lines, left as they were found."""

from __future__ import annotations

import contextlib
import logging
import random
import sys
from collections.abc import Iterator

import numpy as np

from trainer import display
from trainer.display.terminal import is_terminal
from trainer.timing import lasting

PACKAGES = ("trainer", "callbacks")


@contextlib.contextmanager
def random_states_kept() -> Iterator[None]:
    """Gives Python's and NumPy's random numbers, which a run seeds for itself, their states back."""
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


@contextlib.contextmanager
def lines_shown(*, verbose: bool) -> Iterator[None]:
    """Shows the lines of a run on standard output, unless the program has set up logging itself.

    Args:
        verbose: False for warnings alone.
    """
    loggers = [logging.getLogger(name) for name in PACKAGES]
    if logging.getLogger().handlers or any(each.handlers for each in loggers):
        yield
        return
    before = [(each, each.level, each.propagate) for each in (*loggers, lasting)]
    formatter = logging.Formatter("%(message)s")
    handler: logging.Handler
    if verbose and is_terminal():
        handler = display.terminal_handler(formatter)
    else:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(formatter)
    for each in loggers:
        each.addHandler(handler)
        each.setLevel(logging.INFO if verbose else logging.WARNING)
        each.propagate = False
    try:
        yield
    finally:
        for each, level, propagate in before:
            each.removeHandler(handler)
            each.setLevel(level)
            each.propagate = propagate
