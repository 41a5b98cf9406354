"""Runs that the scenarios begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.metrics import Metrics
from tests.helpers import run


@pytest.fixture(scope="session")
def straight(tmp_path_factory) -> Path:
    """A run of four epochs that nobody touched."""
    return trained(tmp_path_factory, epochs=4)


@pytest.fixture(scope="session")
def first_three(tmp_path_factory) -> Path:
    """The same run, three epochs far."""
    return trained(tmp_path_factory, epochs=3)


@pytest.fixture
def three(first_three, tmp_path) -> Path:
    """A copy of it, to be damaged and resumed."""
    return Path(shutil.copytree(first_three, tmp_path / "run"))


def trained(tmp_path_factory, epochs: int) -> Path:
    """Makes a run with a checkpoint each epoch."""
    directory = tmp_path_factory.mktemp(f"epochs-{epochs}") / "run"
    run(directory, {"m": Metrics(), "c": Checkpoint(every_n_epochs=1)}, epochs=epochs)
    return Path(directory)
