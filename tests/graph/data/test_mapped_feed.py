"""``.npy`` files that are never loaded whole: the same bits as arrays in memory, and little memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from tests.helpers import assert_same_bits, points, run
from tests.processes import ROOT
from tests.test_same_bits import Stop
from trainer.data.arrays import InMemory
from trainer.data.mapped import Mapped


def stored(directory: Path) -> dict[str, Any]:
    arrays = points(60)
    np.save(directory / "x.npy", arrays.inputs["x"].astype(np.float64))
    np.save(directory / "y.npy", arrays.labels["y"])
    return {"inputs": {"x": str(directory / "x.npy")}, "labels": {"y": str(directory / "y.npy")}}


def callbacks() -> dict[str, Any]:
    return {"e": Evaluate(), "c": Checkpoint(every_n_epochs=1)}


@pytest.mark.parametrize("shuffle", [True, False])
def test_files_are_trained_on_as_arrays_are_and_resumed_bit_for_bit(shuffle, tmp_path) -> None:
    files = stored(tmp_path)
    settings = {"batch_size": 8, "shuffle": shuffle, "validation": 0.25}
    held = run(tmp_path / "a", callbacks(), data=InMemory(points(60), **settings))
    assert run(tmp_path / "b", {"s": Stop(7), **callbacks()}, data=Mapped(**files, **settings)).global_step == 7
    state = run(tmp_path / "b", callbacks(), data=Mapped(**files, **settings), steps_per_call=2)
    assert_same_bits(tmp_path / "a/checkpoints/model-3", tmp_path / "b/checkpoints/model-3")
    assert state.metrics["val_loss"] == pytest.approx(held.metrics["val_loss"], rel=1e-6)


LARGE = """
import sys, resource, tempfile, keras, numpy as np, tensorflow as tf
sys.path.insert(0, {root!r})
from pathlib import Path
from callbacks.evaluate import Evaluate
from tests.helpers import run
from trainer.data.mapped import Mapped

class Sum:
    def __init__(self):
        self.w = tf.Variable(tf.zeros([256, 1]), name="w")
    def __call__(self, inputs, training):
        return {{"op": (inputs @ self.w)[:, 0]}}
    def loss(self, outputs, labels):
        return tf.reduce_mean(tf.square(outputs["op"] - labels))

rows = {rows}
folder = Path(tempfile.mkdtemp(dir={folder!r}))
x = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (rows, 256))
for start in range(0, rows, 10000):
    x[start : start + 10000] = start
    x.flush()
del x
np.save(folder / "y.npy", np.ones(rows, np.float32))
small = folder / "small.npy"
np.save(small, np.ones((256, 256), np.float32))
np.save(folder / "few.npy", np.ones(256, np.float32))
def train(x, y):
    data = Mapped(str(x), str(y), batch_size=128, validation=0.1)
    run(Path(tempfile.mkdtemp()) / "run", {{"e": Evaluate()}}, data=data, epochs=1, make_model=Sum,
        make_optimizer=lambda _step, _scale: keras.optimizers.SGD(0.0))
def held():
    fields = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    return int(fields["RssAnon"].split()[0]) + int(fields["RssFile"].split()[0])
import threading
train(small, folder / "few.npy")
before = peak = held()
done = threading.Event()
def watch():
    global peak
    while not done.wait(0.002):
        peak = max(peak, held())
thread = threading.Thread(target=watch); thread.start()
train(folder / "x.npy", folder / "y.npy")
done.set(); thread.join()
print((peak - before) // 1024, (folder / "x.npy").stat().st_size // 2**20)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
@pytest.mark.parametrize("rows", [700_000])
def test_a_large_file_takes_little_memory(rows, tmp_path) -> None:
    """A pass over a file of 700 MB, shuffled, against the memory of a run on a file of 256 KiB."""
    text = LARGE.format(root=str(ROOT), rows=rows, folder=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    more, size = map(int, done.stdout.split()[-2:])
    assert size > 680
    assert more < size / 4, (more, size)
