"""Work that lasts, or that would never end: it is refused, told of, and ended by a signal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from callbacks.checkpoint import Checkpoint
from tests.helpers import dataset, job, points, run, timeless, variables
from tests.processes import ROOT
from tests.scenarios.running import wait_until
from trainer.callback import Callback
from trainer.data.streamed import Streamed
from trainer.errors import Interrupted, RequestError
from trainer.graph.data import data_source
from trainer.training.signals import Signals
from trainer.training.train import train_job

MODULE = '''
import os, time
from pathlib import Path
import numpy as np
import tensorflow as tf
from trainer.data.arrays import Arrays

X = np.random.default_rng(0).normal(size=(80, 2)).astype(np.float32)

def wait(where, value=None):
    """Writes a file, and waits for ever in the one place that the environment names."""
    if os.environ.get("WAIT_IN") == where:
        Path("waiting").touch()
        time.sleep(1000)
    return value

def arrays():
    return Arrays({"x": X}, {"y": X[:, :1]})

def pairs(where, endless=False):
    def rows():
        yield {"x": X[0]}, {"y": X[0, :1]}
        for i in range(1, 80):
            if where != "count" or i > 32:
                wait(where)
            yield {"x": X[i]}, {"y": X[i, :1]}
    return tf.data.Dataset.from_generator(
        rows, output_signature=({"x": tf.TensorSpec([2], tf.float32)}, {"y": tf.TensorSpec([1], tf.float32)}))

def known(where):
    return pairs(where).apply(tf.data.experimental.assert_cardinality(80))

class Net:
    def __init__(self):
        self.w = tf.Variable(tf.zeros([2, 1]), name="w")
        wait("build")

    def __call__(self, inputs, training):
        y = inputs["x"] @ self.w
        if not training:
            y = tf.ensure_shape(tf.numpy_function(lambda y: wait("arrays", y), [y], tf.float32), [None, 1])
        return {"out": y}

    def loss(self, outputs, labels):
        return tf.reduce_mean(tf.square(outputs["out"] - labels["y"]))
'''

STREAM = [
    "data=dataset",
    "data.dataset._target_=mine.pairs",
    "data.save_position=false",
]
MEMORY = ["data=arrays", "data.examples._target_=mine.arrays", "data.validation=0.25"]
HELD = ["data.steps_per_epoch=2", "+data.dataset.where=none"]
PLACES = {
    "first batch": [*STREAM, "+data.dataset.where='first batch'"],
    "count": [*STREAM, "+data.dataset.where=count"],
    "held": [*STREAM, *HELD, "data.validation={_target_: mine.known, _partial_: true, where: held}"],
    "build": MEMORY,
    "arrays": MEMORY,
}


def start(folder: Path, *args: str, wait_in: str = "") -> subprocess.Popen[str]:
    (folder / "mine.py").write_text(MODULE)
    common = ["+experiment=linear", "model._target_=mine.Net", "~callbacks.freeze", "~callbacks.saved_model"]
    return subprocess.Popen(
        [sys.executable, "-m", "trainer", *common, "loop.epochs=2", "callbacks.checkpoint.every_n_epochs=1", *args],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "WAIT_IN": wait_in},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("where", PLACES)
def test_32_a_signal_ends_a_call_that_would_last(tmp_path, where) -> None:
    process = start(tmp_path, *PLACES[where], "run.dir=run", wait_in=where)
    wait_until((tmp_path / "waiting").exists, secs=120)
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (143, "error: stopped by SIGTERM\n")
    assert time.monotonic() - began < 20  # of 1,000; the machine may be busy
    if where not in ("held", "arrays"):
        assert not (tmp_path / "run").exists()
        return
    assert json.loads((tmp_path / "run/run.json").read_text())["newest_checkpoint"] == "checkpoints/model-1"
    # The evaluation that was cut off is made again: all metrics are those of a run that no signal stopped.
    straight = tmp_path / "straight"
    straight.mkdir()
    for process in (
        start(tmp_path, *PLACES[where], "run.dir=run", "resume=auto"),
        start(straight, *PLACES[where], "run.dir=run"),
    ):
        stdout, stderr = process.communicate(timeout=200)
        assert process.returncode == 0, stdout + stderr
    # From a generator, whose position cannot be saved, the epoch after it has other batches.
    same = slice(1) if where == "held" else slice(None)
    assert metrics(tmp_path / "run")[same] == metrics(straight / "run")[same]
    assert record(tmp_path / "run", "model-1") == record(straight / "run", "model-1")
    if where == "held":
        return
    ours, theirs = (variables(each / "run/checkpoints/model-2") for each in (tmp_path, straight))
    assert {name: value.tobytes() for name, value in ours.items()} == {n: v.tobytes() for n, v in theirs.items()}


def metrics(directory: Path) -> list[dict[str, Any]]:
    return [timeless(json.loads(line)) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def record(directory: Path, name: str) -> dict[str, Any]:
    found = json.loads((directory / f"checkpoints/{name}.json").read_text())["metrics"]
    return timeless(found)


class Long(Callback):
    """Export that gets a signal and would last."""

    may_be_cut = True

    def on_train_end(self, context: Any) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)


def test_32_a_signal_ends_an_export_at_any_point(tmp_path) -> None:
    began = time.monotonic()
    with Signals() as signals, pytest.raises(Interrupted):
        train_job(job(tmp_path / "run", {"c": Checkpoint(), "long": Long()}, epochs=1), signals)
    assert time.monotonic() - began < 25
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "interrupted"
    assert (tmp_path / "run/checkpoints/model-1.json").exists()


def never_an_example() -> Any:
    """Returns a data set that looks for ever for an example."""
    return dataset().repeat().filter(lambda x, y: False)


ENDLESS = {
    "repeated": lambda: dataset().repeat(),
    "of unknown length": lambda: dataset().repeat().filter(lambda x, y: True),
    "made of endless ones": lambda: dataset().take(2).flat_map(lambda x, y: dataset().repeat()),
    "never giving an example": never_an_example,
}


@pytest.mark.parametrize("make", ENDLESS.values(), ids=ENDLESS)
def test_32_data_without_end_is_refused_at_the_start(make) -> None:
    with pytest.raises(RequestError, match=r"the validation data set .*; set its validation_steps to"):
        data_source.inspect_source(Streamed(dataset, 8, validation=make), count_secs=1.0)
    if make is not never_an_example:  # its first batch is waited for, and told of
        with pytest.raises(RequestError, match=r"the data set .*; set its steps_per_epoch to"):
            data_source.inspect_source(Streamed(make, 8, save_position=False), count_secs=1.0)


def test_32_the_steps_of_an_evaluation_bound_a_part_without_end(tmp_path) -> None:
    from_memory = run(tmp_path / "a", data=Streamed(dataset, 8, validation=lambda: dataset().take(16)), epochs=1)
    bounded = Streamed(dataset, 8, validation=lambda: dataset().repeat(), validation_steps=2)
    assert run(tmp_path / "b", data=bounded, epochs=1).metrics.keys() == from_memory.metrics.keys()
    assert len(points()) > 16
