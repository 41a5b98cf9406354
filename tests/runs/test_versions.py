"""Versions in the records, also where TensorFlow was installed under another name."""

from __future__ import annotations

import json
import platform
from importlib import metadata

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.processes import python
from trainer.runs.versions import MODULES, changed, versions


def test_the_versions_are_those_of_the_modules(monkeypatch) -> None:
    def nowhere(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", nowhere)
    found = versions()
    assert found["python"] == platform.python_version()
    assert (found["tensorflow"], found["keras"], found["numpy"]) == (
        tf.__version__,
        keras.__version__,
        np.__version__,
    )


def test_what_is_not_installed_is_left_out(monkeypatch) -> None:
    monkeypatch.setitem(MODULES, "no-such-package", "no_such_module")
    assert set(versions()) == {"python", *MODULES} - {"no-such-package"}


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        ({}, {"keras": "3.15.1"}, ""),
        ({"keras": "3.12.4"}, {}, ""),
        ({"keras": "3.12.4"}, {"keras": "3.12.4"}, ""),
        ({"keras": "3.15.1"}, {"keras": "3.12.4"}, "keras 3.15.1 -> 3.12.4"),
        (
            {"python": "3.11.7", "tensorflow": "2.16.2"},
            {"python": "3.12.1", "tensorflow": "2.21.0"},
            "python 3.11.7 -> 3.12.1, tensorflow 2.16.2 -> 2.21.0",
        ),
    ],
)
def test_changed(before, now, told) -> None:
    assert changed(before, now) == told


def test_a_run_beside_a_tensorflow_of_another_name(tmp_path) -> None:
    args = ("+experiment=linear", "loop.epochs=1", f"run.dir={tmp_path / 'run'}")
    done = python("-c", WITHOUT_METADATA, *args, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    recorded = json.loads((tmp_path / "run/run.json").read_text())["versions"]
    assert recorded["tensorflow"] == tf.__version__
    assert recorded["keras"] == keras.__version__


WITHOUT_METADATA = """
import runpy, sys
from importlib import metadata

class Renamed:
    def find_distributions(self, context):
        return (each for each in found(context) if each.metadata["Name"] not in ("tensorflow", "keras"))

(finder,) = (each for each in sys.meta_path if hasattr(each, "find_distributions"))
found = finder.find_distributions
finder.find_distributions = Renamed().find_distributions
for name in ("tensorflow", "keras"):
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        continue
    sys.exit(f"{name} is still found")
runpy.run_module("trainer", run_name="__main__", alter_sys=True)
"""
