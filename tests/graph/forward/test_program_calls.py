"""Whole programs of graph mode, beside the loop that they had."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.graph_functions import dense
from tests.helpers import assert_same_bits, points, run, variables
from trainer.data.arrays import InMemory
from trainer.errors import RequestError
from trainer.model import ProgramModel

v1 = tf.compat.v1
STEPS = 12


def fed() -> tuple[Any, Any]:
    return v1.placeholder(tf.float32, [None, 2], name="x"), v1.placeholder(tf.float64, [None, 1], name="y")


def switched() -> Any:
    """Has a flag for training, a default and a rate as placeholders; makes summaries and a Saver."""
    x, y = fed()
    is_training = v1.placeholder(tf.bool, name="is_training")
    rate = v1.placeholder(tf.float32, name="rate")
    scale = v1.placeholder_with_default(2.0, [], name="scale")
    hidden = dense(x, 4, "one") * scale
    mean = tf.Variable(tf.zeros([4]), trainable=False, name="mean")

    def of_batch() -> Any:
        of_now = tf.reduce_mean(hidden, 0)
        with tf.control_dependencies([v1.assign(mean, 0.9 * mean + 0.1 * of_now)]):
            return tf.identity(of_now)

    op = dense(hidden - tf.cond(~is_training, lambda: tf.identity(mean), of_batch), 1, "two")
    loss = tf.reduce_mean((op - tf.cast(y, tf.float32)) ** 2)
    step = v1.train.get_or_create_global_step()
    train_op = v1.train.MomentumOptimizer(rate, 0.9).minimize(loss, global_step=step)
    v1.summary.scalar("loss", loss)
    v1.summary.merge_all()
    v1.train.Saver()
    error = tf.reduce_mean(tf.abs(op - tf.cast(y, tf.float32)))
    flags = {"is_training": (True, False), "rate": (0.05, 0.0)}
    return {"outputs": {"op": op}, "loss": loss, "train_op": train_op, "metrics": {"error": error}, "flags": flags}


def in_turn() -> Any:
    """Has two train ops, of which the second sees what the first has changed."""
    x, y = fed()
    first = dense(x, 1, "first")
    op = first + dense(x, 1, "second")
    loss = tf.reduce_mean((op - tf.cast(y, tf.float32)) ** 2)
    lowered = [
        v1.train.AdamOptimizer(0.1).minimize(loss, var_list=v1.trainable_variables("second")),
        v1.train.GradientDescentOptimizer(0.1).minimize(loss, var_list=v1.trainable_variables("first")),
    ]
    return SimpleNamespace(outputs={"op": op}, loss=loss, train_op=lowered)


PROGRAMS: dict[str, Callable[[], Any]] = {"switched": switched, "in turn": in_turn}


def loop(program: Callable[[], Any], arrays: Any, steps: int) -> dict[str, Any]:
    """Runs the train ops as a program did, one ``session.run`` each; returns the variables by name."""
    with tf.Graph().as_default() as graph:
        v1.set_random_seed(0)
        made = program()
        parts = made if isinstance(made, dict) else vars(made)
        flags = {graph.get_tensor_by_name(f"{name}:0"): pair[0] for name, pair in parts.get("flags", {}).items()}
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            for i in range(steps):
                at = np.arange(i * 8, (i + 1) * 8) % len(arrays)
                feed = {"x:0": arrays.inputs["x"][at], "y:0": arrays.labels["y"][at], **flags}
                for train_op in tf.nest.flatten(parts["train_op"]):
                    session.run(train_op, feed)
            found = {each.op.name: session.run(each) for each in v1.global_variables()}
    return {name: value for name, value in found.items() if name != "global_step"}


def trained(directory: Path, program: Callable[[], Any], **changes: Any) -> Any:
    callbacks = {
        "evaluate": Evaluate(),
        "checkpoint": Checkpoint(every_n_epochs=1),
        "freeze": Freeze(outputs=["op"]),
        "saved_model": SavedModel(),
    }
    parts = {
        "make_model": lambda: ProgramModel(program),
        "make_optimizer": None,
        "data": InMemory(points(), batch_size=8, shuffle=False, validation=0.2),
    }
    return run(directory, callbacks, **{**parts, **changes})


@pytest.mark.parametrize("kind", PROGRAMS)
def test_it_does_as_its_loop_resumes_and_exports(tmp_path, kind) -> None:
    state = trained(tmp_path / "straight", PROGRAMS[kind])
    data = InMemory(points(), batch_size=8, shuffle=False, validation=0.2)
    found = variables(tmp_path / "straight/checkpoints/model-3")
    assert found.pop("global_step") == STEPS
    expected = loop(PROGRAMS[kind], data.train, STEPS)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-4, atol=2e-6, err_msg=name)
    frozen = (tmp_path / "straight/export/frozen/model.pb").read_bytes()
    (saved,) = (tmp_path / "straight/export/saved_model").iterdir()
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(v1.GraphDef.FromString(frozen), name="")
        x, y = data.validation.inputs["x"], data.validation.labels["y"]
        op = session.run("op:0", {"x:0": x})
        assert np.mean((op - y) ** 2) == pytest.approx(state.metrics["val_loss"], rel=1e-4)
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, ["serve"], str(saved))
        np.testing.assert_array_equal(session.run("op:0", {"x:0": x}), op)
    trained(tmp_path / "resumed", PROGRAMS[kind], epochs=1)
    trained(tmp_path / "resumed", PROGRAMS[kind])
    assert_same_bits(tmp_path / "straight/checkpoints/model-3", tmp_path / "resumed/checkpoints/model-3")


def _program(change: Callable[[dict[str, Any]], Any]) -> Callable[[], Any]:
    def program() -> Any:
        return change(switched())

    return program


def _in_a_graph_of_its_own() -> Any:
    with tf.Graph().as_default():
        return switched()


def _without(*names: str) -> Callable[[dict[str, Any]], Any]:
    return lambda parts: {name: each for name, each in parts.items() if name not in names}


REFUSED = {
    "a tuple": (_program(lambda parts: tuple(parts.values())), "returned no 'outputs'"),
    "no loss": (_program(_without("loss")), "returned no 'loss'"),
    "another name": (_program(lambda parts: {**parts, "train_ops": 1}), "a part 'train_ops'; did you mean train_op"),
    "no flags": (_program(_without("flags")), "placeholder 'is_training', which nothing feeds"),
    "a flag for inference alone": (
        _program(lambda parts: {**parts, "flags": {"is_training": False, "rate": 0.1}}),
        "flag 'is_training' of program has a value for inference and none for training",
    ),
    "a flag of no placeholder": (
        _program(lambda parts: {**parts, "flags": {**parts["flags"], "rat": 1.0}}),
        "no placeholder 'rat' .* did you mean rate",
    ),
    "a graph of its own": (_in_a_graph_of_its_own, "makes its tensors in a graph of its own"),
    "neither": (_program(_without("train_op")), "no optimizer is chosen"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_run_is_refused_by_name(tmp_path, kind) -> None:
    program, message = REFUSED[kind]
    with pytest.raises(RequestError, match=message):
        trained(tmp_path / "run", program)
    assert not (tmp_path / "run").exists()


def test_data_that_fits_no_placeholder_is_refused_by_name(tmp_path) -> None:
    def program() -> Any:
        x = v1.placeholder(tf.float32, [None, 3], name="x")
        v1.placeholder(tf.float32, [None, 1], name="y")
        return {"outputs": {"op": dense(x, 1, "one")}, "loss": tf.reduce_mean(x)}

    with pytest.raises(RequestError, match=r"data 'x' has the shape \(None, 2\), and the placeholder .*\(None, 3\)"):
        trained(tmp_path / "run", program)
