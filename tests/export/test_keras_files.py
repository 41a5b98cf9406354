"""Keras's own files of a run: written by the command line, read by plain Keras."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.processes import python
from trainer import load_into
from trainer.errors import RequestError
from trainer.export.keras_files import check_net

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NETS = """
import keras
from keras import layers


def functional(units=3):
    x = keras.Input((2,), name="x")
    hidden = layers.BatchNormalization()(layers.Dense(units, "tanh")(x))
    net = keras.Model(x, layers.Dense(1, name="total")(hidden))
    net.compile("adam", loss="mse", metrics=["mae"])
    return net


class Own(keras.Model):
    def __init__(self, **more):
        super().__init__(**more)
        self.body, self.head = keras.Sequential([layers.Dense(3), layers.Dense(2)]), layers.Dense(1)

    def call(self, x):
        return self.head(self.body(x))


class Closed(Own):
    def __init__(self):
        super().__init__()
"""

READER = """
import json, sys
import keras, numpy as np
assert not any(name.split(".")[0] in ("trainer", "callbacks") for name in sys.modules)
import nets
x = np.load("points.npz")["x"][:4]
net = getattr(nets, sys.argv[1])()
net(x)
net.load_weights(sys.argv[2])
answer = {"weights": net(x).numpy().tolist()}
if len(sys.argv) > 3:
    custom = {} if sys.argv[1] == "functional" else {"Own": nets.Own}
    answer["whole"] = keras.saving.load_model(sys.argv[3], custom_objects=custom)(x).numpy().tolist()
print("ANSWER", json.dumps(answer))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Directory with nets and data of a user's own."""
    folder = tmp_path_factory.mktemp("keras")
    (folder / "nets.py").write_text(NETS)
    x = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    np.savez(folder / "points.npz", x=x, total=x.sum(1, keepdims=True))
    return folder


def trained(place, net, *overrides):
    """Trains by the command line and returns the run's directory."""
    common = ["model=keras", f"model.net._target_=nets.{net}", "data=npz", "data.examples.path=points.npz"]
    rest = ["data.examples.labels=[total]", "data.batch_size=8", "loop.epochs=2", f"run.dir={net}", "~callbacks.freeze"]
    done = python("-m", "trainer", *common, *rest, *overrides, cwd=place)
    assert done.returncode == 0, done.stderr[-3000:]
    return place / net


@pytest.mark.parametrize(
    ("net", "overrides"),
    [
        ("functional", ["+model.net.units=4"]),
        ("Own", ["model.loss=mse", "model.metrics=[mae]"]),
        # Keras can write this class and not make it again.
        ("Closed", ["model.loss={_target_:keras.losses.MeanAbsoluteError}", "model.metrics=[mae]"]),
    ],
)
def test_plain_keras_reads_what_was_exported(net, overrides, place, monkeypatch, tool, caplog) -> None:
    run = trained(place, net, *overrides)
    monkeypatch.chdir(place)
    monkeypatch.syspath_prepend(str(place))
    code, written = tool("export", run, "--to", "keras", "-o", f"{net}_files")
    assert code == 0, written
    files = sorted(path.name for path in (place / f"{net}_files").iterdir())
    assert files == (["model-2.weights.h5"] if net == "Closed" else ["model-2.keras", "model-2.weights.h5"])
    assert ("model-2.keras is left out" in caplog.text) == (net == "Closed")
    assert all(file in written for file in files)
    reader = READER if net != "functional" else READER.replace("nets, sys.argv[1])()", "nets, sys.argv[1])(4)")
    done = python("-c", reader, net, *(f"{net}_files/{name}" for name in reversed(files)), cwd=place, ours=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.partition("ANSWER")[2])
    import_nets = __import__("nets")
    expected = getattr(import_nets, net)(*[4][: net == "functional"])
    x = np.load("points.npz")["x"][:4]
    expected(x)
    load_into(expected, run)
    assert answer == {name: expected(x).numpy().tolist() for name in ("weights", "whole")[: len(files)]}
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {"loss", "mae"} <= lines[-1].keys()


def test_another_model_is_refused(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"is trainer.models.cnn.Cnn, which is no Keras model.*trainer.load_into"):
        check_net("trainer.models.cnn.Cnn", tmp_path)
    check_net("trainer.models.keras_model.KerasModel", tmp_path)
