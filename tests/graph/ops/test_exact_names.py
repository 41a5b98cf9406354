"""Names of inputs, labels, outputs, loss and update in every file, as people give them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import Line, points, run
from tests.processes import python
from trainer.checkpoints.meta_reader import read_meta
from trainer.data.arrays import Arrays, InMemory
from trainer.errors import RequestError
from trainer.predict.backends.dispatch import open_predictor

v1 = tf.compat.v1

X = np.asarray(points().inputs["x"])


def model(call: Callable[[Any, Any], Any], **methods: Any) -> Any:
    """Returns a model class of which a call returns what a function of the model and its input ``x`` returns."""

    def loss(self: Any, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(self.op - labels["y"]), name=self.loss_name)

    def called(self: Any, inputs: Any, training: bool) -> Any:
        self.op = Line.__call__(self, inputs, training)["op"]
        return call(self, inputs["x"])

    return type("Named", (Line,), {"loss": loss, "loss_name": None, "__call__": called, "metrics": None, **methods})


def in_scope(self: Any, x: Any) -> Any:
    with tf.name_scope("net"):
        logits = tf.multiply(self.op, 1.0, name="logits")
        return {"net/logits": logits, "net/Logits": -logits, "net": logits + 1.0}


def beside_a_scope(self: Any, x: Any) -> Any:
    with tf.name_scope("dense"):
        hidden = self.op * 2.0
    return {"dense": hidden}


ACCEPTED: dict[str, tuple[Any, dict[str, Callable[[Any], Any]]]] = {
    "the op bears the name": (
        lambda self, x: {"logits": tf.multiply(self.op, 2.0, name="logits")},
        {"logits": lambda op: 2 * op},
    ),
    "another case than TensorFlow's own name": (
        lambda self, x: {"tanh": tf.tanh(self.op), "TANH": -tf.tanh(self.op)},
        {"tanh": np.tanh, "TANH": lambda op: -np.tanh(op)},
    ),
    "TensorFlow's own name": (lambda self, x: {"Tanh": tf.tanh(self.op)}, {"Tanh": np.tanh}),
    "two that differ in case": (
        lambda self, x: {"a": self.op, "A": self.op + 1.0},
        {"a": lambda op: op, "A": lambda op: op + 1},
    ),
    "in a scope": (
        in_scope,
        {"net/logits": lambda op: op, "net/Logits": lambda op: -op, "net": lambda op: op + 1},
    ),
    "the name of a scope": (beside_a_scope, {"dense": lambda op: 2 * op}),
    "two names of one tensor": (
        lambda self, x: {"one": (t := tf.multiply(self.op, 3.0, name="one")), "two": t},
        {"one": lambda op: 3 * op, "two": lambda op: 3 * op},
    ),
    "a second output of an op": (
        lambda self, x: dict(zip(("parts", "second"), tf.split(self.op, [1, 0], 1, name="parts"), strict=True)),
        {"parts": lambda op: op, "second": lambda op: op[:, :0]},
    ),
    "an input under another name": (
        lambda self, x: {"op": self.op, "key": x},
        {"op": lambda op: op, "key": lambda op: X},
    ),
    "a variable under another name": (
        lambda self, x: {"op": self.op, "weights": self.w},
        {"op": lambda op: op, "weights": lambda op: np.linalg.lstsq(np.c_[X, np.ones(len(X))], op)[0][:2]},
    ),
    "a label in another case": (
        lambda self, x: {"Y": self.op, "X": 2.0 * self.op},
        {"Y": lambda op: op, "X": lambda op: 2 * op},
    ),
}

QUICK = ["the op bears the name", "another case than TensorFlow's own name"]

READ = """
import json, sys
import numpy as np
import tensorflow as tf
v1, found = tf.compat.v1, {}
feed = {"x:0": np.load("x.npy")}
def outputs_of(run, names):
    def fetched(session):
        return [each.tolist() for each in session.run([name + ":0" for name in names], feed)]
    with tf.Graph().as_default(), v1.Session() as session:
        prefix = tf.train.latest_checkpoint(run + "/checkpoints")
        v1.train.import_meta_graph(prefix + ".meta").restore(session, prefix)
        yield "meta", fetched(session)
        session.graph.get_tensor_by_name("y:0"), session.graph.get_operation_by_name("train_step")
    with tf.Graph().as_default(), v1.Session() as session:
        definition = v1.GraphDef.FromString(open(run + "/export/frozen/model.pb", "rb").read())
        tf.import_graph_def(definition, name="")
        yield "pb", fetched(session)
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, ["serve"], run + "/export/saved_model/1")
        yield "saved_model", fetched(session)
    outputs = tf.saved_model.load(run + "/export/saved_model/1").signatures["serving_default"](x=feed["x:0"])
    yield "signature", [outputs[name].numpy().tolist() for name in names]
runs = json.loads(sys.argv[1])
print(json.dumps({run: dict(outputs_of(run, names)) for run, names in runs.items()}))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Runs of an epoch by case, with all exports."""
    directory = tmp_path_factory.mktemp("names")

    def path(case: str) -> Path:
        if not (directory / case).exists():
            callbacks = {"c": Checkpoint(), "f": Freeze(), "s": SavedModel()}
            run(directory / case, callbacks, make_model=model(ACCEPTED[case][0]), epochs=1)
        return directory / case

    return path


@pytest.mark.parametrize("case", ACCEPTED)
def test_outputs_bear_their_names(case, trained) -> None:
    expected = ACCEPTED[case][1]
    with (
        open_predictor(trained(case)) as checkpoint,
        open_predictor(trained(case), outputs=["add"]) as hidden,
        open_predictor(trained(case) / "export/frozen/model.pb") as frozen,
        open_predictor(trained(case) / "export/saved_model/1") as saved_model,
    ):
        op = hidden(x=X)["add"]
        for predictor in (checkpoint, frozen, saved_model):
            values = predictor(x=X)
            assert set(values) == set(expected)
            for name, compute in expected.items():
                np.testing.assert_allclose(values[name], compute(op), rtol=1e-5)


@pytest.mark.parametrize("cases", [QUICK, [*ACCEPTED]], ids=["few", "all"])
def test_plain_tensorflow_finds_the_names_in_every_file(cases, trained, tmp_path) -> None:
    np.save(tmp_path / "x.npy", X)
    names = {case: list(ACCEPTED[case][1]) for case in cases}
    paths = {str(trained(case)): names[case] for case in cases}
    read = python("-c", READ, json.dumps(paths), cwd=tmp_path, ours=False).stdout.splitlines()
    found = dict(zip(cases, json.loads(read[-1]).values(), strict=True))
    for case in cases:
        with open_predictor(trained(case)) as predictor:
            values = predictor(x=X)
        for kind, outputs in found[case].items():
            for name, value in zip(names[case], outputs, strict=True):
                np.testing.assert_allclose(np.asarray(value), values[name], rtol=1e-5, err_msg=f"{case} {kind} {name}")


def softmax_and_more(self: Any, x: Any) -> Any:
    return {"softmax": tf.nn.softmax(self.op), "op": self.op}


@pytest.mark.parametrize(
    ("name", "loss_name", "whole"),
    [("loss", "loss", "loss"), ("Loss", "Loss", "loss"), ("two parts", "loss", "total_loss")],
)
def test_the_loss_may_be_an_op_of_that_name(name, loss_name, whole, tmp_path) -> None:
    methods: dict[str, Any] = {"loss_name": loss_name}
    if name == "two parts":
        plain = model(softmax_and_more, loss_name="loss").loss
        methods["loss"] = lambda self, outputs, labels: plain(self, outputs, labels) + 1.0
    run(tmp_path / "run", {"c": Checkpoint()}, make_model=model(softmax_and_more, **methods), epochs=1)
    meta = read_meta(tmp_path / "run/checkpoints/model-1.meta")
    assert {"softmax", "Softmax", loss_name, whole} <= {node.name for node in meta.graph_def.node}
    assert {name: info.name for name, info in meta.signature_def["eval"].outputs.items()} == {"loss": f"{whole}:0"}


def test_an_op_of_the_model_may_be_called_train_step_in_another_case(tmp_path) -> None:
    def call(self: Any, x: Any) -> Any:
        return {"TRAIN_STEP": tf.multiply(self.op, 1.0, name="TRAIN_STEP")}

    run(tmp_path / "run", {"c": Checkpoint()}, make_model=model(call), epochs=1)
    with tf.Graph().as_default(), v1.Session() as session:
        prefix = str(tmp_path / "run/checkpoints/model-1")
        v1.train.import_meta_graph(f"{prefix}.meta").restore(session, prefix)
        session.run("train_step", {"x:0": X[:8], "y:0": np.zeros([8, 1])})
        (step,) = (each for each in v1.global_variables() if each.op.name == "global_step")
        assert session.run(step) == 6


def test_inputs_and_labels_may_differ_in_case_alone(tmp_path) -> None:
    class Pair(Line):
        def __call__(self, inputs: Any, training: bool) -> Any:
            return {"op": (inputs["x"] + inputs["X"]) @ self.w + self.b}

        def loss(self, outputs: Any, labels: Any) -> Any:
            return tf.reduce_mean(tf.square(outputs["op"] - labels["OP"]))

        metrics = None

    y = np.asarray(points().labels["y"])
    data = InMemory(Arrays({"x": X, "X": 0 * X}, {"OP": y}), batch_size=8)
    run(tmp_path / "run", {"c": Checkpoint(), "s": SavedModel()}, make_model=Pair, data=data, epochs=1)
    with open_predictor(tmp_path / "run/export/saved_model/1") as predictor:
        np.testing.assert_allclose(predictor(x=X, X=X)["op"], predictor(x=2 * X, X=0 * X)["op"], rtol=1e-5)


REFUSED = {
    "the op of that name is another one": (
        lambda self, x: {"logits": tf.multiply(self.op, 2.0, name="logits") + 1.0},
        r"'logits' needs an op of that name.* of type Mul, .*test_exact_names.py:\d+; give one",
    ),
    "a variable": (lambda self, x: {"w": self.w}, "an op 'w' of type VarHandleOp"),
    "an input": (lambda self, x: {"x": x}, "cannot feed and fetch"),
    "another tensor than the input": (lambda self, x: {"x": self.op}, "an op 'x' of type Placeholder"),
    "a label": (lambda self, x: {"y": self.op}, "an op 'y' of type Placeholder"),
    "the second output of the op": (
        lambda self, x: {"parts": tf.split(self.op, [1, 0], 1, name="parts")[1]},
        "an op 'parts' of type SplitV",
    ),
    "the update": (
        lambda self, x: {"train_step": tf.multiply(self.op, 1.0, name="train_step")},
        "an op 'train_step' of type Mul",
    ),
    "no name": (lambda self, x: {"my op": self.op}, "'my op' is not a valid name"),
    "an empty name": (lambda self, x: {"": self.op}, "'' is not a valid name"),
    "the name of a scope, with its slash": (lambda self, x: {"net/": self.op}, "'net/' is not a valid name"),
    "a number": (lambda self, x: {0: self.op}, "0 is not a valid name"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_name_that_something_else_has_is_refused(case, tmp_path) -> None:
    call, message = REFUSED[case]
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", make_model=model(call))
    assert not (tmp_path / "run").exists()
