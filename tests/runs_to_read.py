"""Fixtures with runs and directories for the tests of many rooms, each made once; conftest.py imports them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.metrics import Metrics
from callbacks.saved_model import SavedModel
from tests.helpers import run
from tests.processes import python
from trainer.training.job import Invocation

v1 = tf.compat.v1

CONFIG = """
model: {_target_: tests.helpers.Line}
data: {_target_: trainer.data.arrays.InMemory, examples: {_target_: tests.helpers.points}, batch_size: 8}
callbacks:
  checkpoint: {_target_: callbacks.checkpoint.Checkpoint, monitor: error, mode: max, pinned: []}
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run of four epochs with all its checkpoints; the first is the best by its monitor."""
    directory = tmp_path_factory.mktemp("tools") / "run"
    callbacks = {
        "metrics": Metrics(),
        "checkpoint": Checkpoint(every_n_epochs=1, max_to_keep=0, keep_best=1, monitor="error", mode="max"),
        "freeze": Freeze(which="best", name="best"),
        "saved_model": SavedModel(which="best"),
    }
    run(directory, callbacks, epochs=4, invocation=Invocation(config_text=CONFIG))
    return directory


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    """Copy of the run ``trained``, which a test may change."""
    directory = Path(shutil.copytree(trained, tmp_path / "run"))
    for path in (directory / "checkpoints").glob("model-*.meta"):
        path.unlink()
        path.hardlink_to(directory / "checkpoints/model.meta")
    return directory


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of ten-year-old code: reference variables, Adam of graph mode, absolute paths, no commit record."""
    directory = tmp_path_factory.mktemp("plain")
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], "x")
        y = v1.placeholder(tf.float32, [None, 1], "y")
        w = v1.get_variable("w", [2, 1], use_resource=False)
        b = v1.get_variable("b", [1], initializer=v1.zeros_initializer(), use_resource=False)
        op = tf.add(tf.matmul(x, w), b, name="op")
        step = v1.train.get_or_create_global_step()
        loss = tf.reduce_mean(tf.square(op - y), name="loss")
        train = v1.train.AdamOptimizer(0.1).minimize(loss, step)
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver()
        for _ in range(2):
            session.run(train, {x: np.ones([4, 2]), y: np.ones([4, 1])})
            saver.save(session, str(directory / "old.ckpt"), global_step=step)
    return directory


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a run of ``tests.helpers.Line`` with files of all formats."""
    directory = tmp_path_factory.mktemp("small") / "run"
    run(directory, {"c": Checkpoint(), "f": Freeze(), "s": SavedModel(tags=["gpu"])})
    return directory


@pytest.fixture(scope="session")
def linear_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Directory and output of the run of the first README command."""
    cwd = tmp_path_factory.mktemp("linear")
    done = python("-m", "trainer", "+experiment=linear", cwd=cwd)
    assert done.returncode == 0, done.stderr
    (directory,) = (cwd / "outputs" / "linear").iterdir()
    return directory, done
