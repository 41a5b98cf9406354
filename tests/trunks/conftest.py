"""A frozen graph, and a run that trained a head on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.trunks.nets import freeze, net, train_on


@pytest.fixture(scope="session")
def trunk_file(tmp_path_factory) -> Path:
    return freeze(tmp_path_factory.mktemp("trunk") / "old.pb", net, ["features", "other"])


@pytest.fixture(scope="session")
def on_trunk(trunk_file, tmp_path_factory) -> Path:
    """A run that trained a head on the constant trunk."""
    return train_on(trunk_file, tmp_path_factory.mktemp("on_trunk") / "run")
