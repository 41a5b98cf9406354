"""Functions of graph mode, each kind beside a loop over ``session.run``."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from callbacks.freeze import Freeze
from callbacks.nan_guard import NanGuard
from tests.graph_functions import OWN, dense, lowered_by, of_the_config, session_loop, squared
from tests.helpers import assert_same_bits, points, run, variables
from trainer.data.arrays import InMemory
from trainer.errors import NonFiniteError, RequestError
from trainer.model import FunctionModel
from trainer.warm_start import WarmStart

v1 = tf.compat.v1
STEPS = 12
KINDS = {**OWN, "of the config": of_the_config}


def trained(directory: Path, kind: str, epochs: int = 3, **changes: Any) -> Any:
    """Trains a function in epochs of 4 steps, in the order of the data."""
    optimizer = None if kind in OWN else (lambda _step, _scale: v1.train.GradientDescentOptimizer(0.05))
    callbacks = {"evaluate": Evaluate(), "checkpoint": Checkpoint(every_n_epochs=1), "freeze": Freeze(outputs=["op"])}
    return run(
        directory,
        callbacks,
        **{
            "make_model": lambda: FunctionModel(KINDS[kind]),
            "make_optimizer": optimizer,
            "data": InMemory(points(), batch_size=8, shuffle=False, validation=0.2),
            "epochs": epochs,
            **changes,
        },
    )


@pytest.mark.parametrize("kind", KINDS)
def test_it_does_as_a_session_loop_resumes_and_exports(tmp_path, kind) -> None:
    state = trained(tmp_path / "straight", kind)
    data = InMemory(points(), batch_size=8, shuffle=False, validation=0.2)
    expected = session_loop(KINDS[kind], data.train, 8, STEPS)
    prefix = tmp_path / "straight/checkpoints/model-3"
    found = variables(prefix)
    assert found.pop("global_step") == STEPS
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=2e-4, atol=2e-6, err_msg=name)
    loss, op = _evaluated(KINDS[kind], prefix, data.validation)
    assert state.metrics["val_loss"] == pytest.approx(loss, rel=1e-5)
    np.testing.assert_allclose(_frozen(tmp_path / "straight", data.validation.inputs["x"]), op, rtol=1e-5, atol=1e-6)
    trained(tmp_path / "resumed", kind, epochs=1)
    trained(tmp_path / "resumed", kind)
    assert_same_bits(prefix, tmp_path / "resumed/checkpoints/model-3")


def _evaluated(build: Any, prefix: Path, arrays: Any) -> tuple[float, Any]:
    """Returns loss and outputs of plain TensorFlow, which restores the checkpoint."""
    with tf.Graph().as_default():
        fed = {name: tf.constant(each) for name, each in arrays.inputs.items()}
        outputs, loss, *_ = build(fed, {name: tf.constant(each) for name, each in arrays.labels.items()}, False)
        if build is of_the_config:
            loss += sum(v1.get_collection(v1.GraphKeys.REGULARIZATION_LOSSES))
        trainable = v1.trainable_variables()
        keys = dict(tf.train.list_variables(str(prefix)))
        others = [each for each in v1.global_variables() if each.op.name in keys]
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            kept = {each.ref(): each for each in [*trainable, *others]}
            v1.train.Saver(list(kept.values())).restore(session, str(prefix))
            value, op = session.run([loss, outputs["op"]])
        return float(value), op


def _frozen(run_dir: Path, x: Any) -> Any:
    with tf.Graph().as_default():
        graph_def = v1.GraphDef.FromString((run_dir / "export/frozen/model.pb").read_bytes())
        (op,) = tf.import_graph_def(graph_def, return_elements=["op:0"], name="")
        with v1.Session() as session:
            return session.run(op, {"x:0": x})


def _returns(*parts: Any, of_inference: Any = None) -> Any:
    """Returns a function that returns these parts after its outputs; each is called with outputs and labels."""

    def build(inputs: Any, labels: Any, training: bool) -> Any:
        op = dense(inputs["x"], 1, "one")
        if labels is None:
            return {"op": op} if of_inference is None else of_inference(op)
        return ({"op": op}, *(part(op, labels) for part in parts))

    return build


def _counter() -> Any:
    calls = []

    def name(op: Any, labels: Any) -> Any:
        calls.append(op)
        return squared(op, labels) * v1.get_variable(f"scale_{len(calls)}", [], initializer=v1.ones_initializer())

    return name


def _queue(op: Any, labels: Any) -> Any:
    return squared(op, labels) + tf.reduce_sum(v1.train.batch([tf.zeros([])], 2))


def _drawn(make_iterator: Any) -> Any:
    def drawn(op: Any, labels: Any) -> Any:
        return squared(op, labels) * make_iterator(tf.data.Dataset.from_tensors(2.0).repeat()).get_next()

    return _returns(drawn)


def _from_data(op: Any, labels: Any) -> Any:
    return squared(op, labels) * tf.Variable(tf.reduce_mean(op), name="scale")


def _nothing(*_: Any) -> None:
    return None


REFUSED = {
    "outputs without names": (_returns(of_inference=lambda op: op), "build returned .*return a dict of outputs"),
    "no loss": (_returns(), r"build returned \(dict\), given labels; return a dict"),
    "a loss of examples": (_returns(lambda op, _: op), "build returned float32 .*float scalar"),
    "a train op that is none": (_returns(squared, lambda *_: tf.no_op()), "train op of build changes no variable"),
    "an optimizer": (_returns(squared, lambda *_: v1.train.AdamOptimizer()), "is a AdamOptimizer; it must"),
    "a list of metrics": (_returns(squared, _nothing, lambda *_: [1.0]), "its metrics as list"),
    "a Keras metric": (_returns(squared, lambda *_: {"m": keras.metrics.Mean()}), "'m' as a Keras metric"),
    "a metric of sessions": (_returns(squared, lambda op, _: {"m": v1.metrics.mean(op)}), "of tf.compat.v1.metrics"),
    "a Keras layer": (
        _returns(lambda op, labels: squared(keras.layers.Dense(1)(op), labels)),
        "another variable 'dense_1/kernel' each time .*Keras layer",
    ),
    "other names": (_returns(_counter()), "another variable 'scale_2' each time"),
    "a queue": (_returns(_queue), "makes input queues"),
    "the end of the program": (
        _returns(lambda *_: argparse.ArgumentParser().parse_args(["--no-such-flag"])),
        r"it ends the program \(sys.exit\), as argparse and flags do",
    ),
    "a loss that is an op": (_returns(lambda *_: tf.no_op("train")), "returned the op 'train' as its loss"),
    "an iterator": (_drawn(v1.data.make_one_shot_iterator), "makes an iterator or a mutable table"),
    "an iterator to initialise": (_drawn(v1.data.make_initializable_iterator), "makes an iterator or a mutable"),
    "an iterator of a structure": (
        _drawn(lambda dataset: v1.data.Iterator.from_structure(tf.float32, [])),
        "makes an iterator or a mutable",
    ),
    "a value from the data": (_returns(_from_data), "initial value of the variable 'scale' depends on the data"),
    "layers of old": (_returns(lambda op, _: v1.layers.dense(op, 1)), "tf.compat.v1.layers needs Keras 2"),
    "neither": (_returns(squared), "no optimizer is chosen, and build makes no train op"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_no_call_can_keep_is_refused_by_name(tmp_path, kind) -> None:
    build, message = REFUSED[kind]
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", {}, make_model=lambda: FunctionModel(build), make_optimizer=None)
    assert not (tmp_path / "run").exists()


def test_an_optimizer_that_is_not_used_is_said(tmp_path, caplog) -> None:
    with caplog.at_level("INFO"):
        run(tmp_path / "run", {}, make_model=lambda: FunctionModel(KINDS["never run"]), epochs=1)
    assert "never_run makes its own train op, so the optimizer of the config is not used" in caplog.text
    assert caplog.text.count("never_run makes summaries (loss), which no one writes") == 1


def test_only_chosen_variables_are_trained(tmp_path) -> None:
    run(tmp_path / "all", make_model=lambda: FunctionModel(KINDS["averages"]), make_optimizer=None, epochs=1)
    run(
        tmp_path / "some",
        make_model=lambda: FunctionModel(KINDS["averages"]),
        make_optimizer=None,
        trainable=["two/*"],
    )
    first, last = (variables(tmp_path / f"some/checkpoints/model-{n}") for n in (1, 3))
    assert np.array_equal(first["one/w"], last["one/w"])
    assert not np.array_equal(first["two/w"], last["two/w"])


def test_a_warm_start_takes_the_weights_and_leaves_the_slots(tmp_path) -> None:
    run(tmp_path / "first", make_model=lambda: FunctionModel(KINDS["not counted"]), make_optimizer=None, epochs=1)
    # A run of lowered_by's net whose rate is 0 ends with the weights that it starts with.
    still = lowered_by(lambda loss: v1.train.AdamOptimizer(0.0).minimize(loss))
    prefix = tmp_path / "first/checkpoints/model-1"
    run(
        tmp_path / "then",
        make_model=lambda: FunctionModel(still),
        make_optimizer=None,
        epochs=1,
        warm_start=WarmStart(prefix),
    )
    first, then = variables(prefix), variables(tmp_path / "then/checkpoints/model-1")
    weights = [name for name in first if "Adam" not in name and not name.endswith(("_power", "global_step"))]
    assert len(weights) == 4
    assert all(np.array_equal(first[name], then[name]) for name in weights)
    assert not np.array_equal(first["one/w/Adam"], then["one/w/Adam"])


def _dropped(inputs: Any, labels: Any, training: bool) -> Any:
    op = dense(tf.nn.dropout(inputs["x"], 0.5) if training else inputs["x"], 1, "one")
    noise = tf.random.normal([], stddev=0.1) + tf.cast(tf.random.uniform([], maxval=3, dtype=tf.int32), tf.float32)
    if labels is None:
        return {"op": op}
    return {"op": op}, squared(op, labels) + noise * tf.reduce_mean(op)


def test_random_numbers_are_those_of_the_step(tmp_path, caplog) -> None:
    parts = {"make_model": lambda: FunctionModel(_dropped)}
    run(tmp_path / "straight", **parts)
    run(tmp_path / "resumed", epochs=1, **parts)
    run(tmp_path / "resumed", **parts)
    assert_same_bits(tmp_path / "straight/checkpoints/model-3", tmp_path / "resumed/checkpoints/model-3")
    per_step = variables(tmp_path / "straight/checkpoints/model-3")
    assert not np.array_equal(per_step["one/w"], variables(tmp_path / "straight/checkpoints/model-2")["one/w"])


def test_a_random_op_with_a_state_and_a_nan_are_told_with_their_lines(tmp_path, caplog) -> None:
    def build(inputs: Any, labels: Any, training: bool) -> Any:
        op = dense(inputs["x"], 1, "one")
        if labels is None:
            return {"op": op}
        dropped = op * tf.random.gamma([], 1.0) if training else op
        return {"op": op}, squared(dropped, labels) + 0.0 * tf.math.log(tf.reduce_min(labels["y"]) - 1e9)

    with pytest.raises(NonFiniteError, match=r"Log \(\S*test_function_calls.py:\d+\) gave nan"):
        run(tmp_path / "run", {"guard": NanGuard()}, make_model=lambda: FunctionModel(build))
    assert re.search(r"RandomGamma, \S*test_function_calls.py:\d+ keeps its random state", caplog.text)


@pytest.mark.parametrize("kind", ["counted", "of the config"])
def test_compiling_changes_no_more_than_roundings(tmp_path, kind) -> None:
    plain, compiled = (trained(tmp_path / mode, kind, compile=mode) for mode in ("off", "xla"))
    assert compiled.metrics["loss"] == pytest.approx(plain.metrics["loss"], rel=1e-4)
