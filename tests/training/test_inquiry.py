"""Failed steps looked into: the same errors compiled or not, and the op that a nan comes from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.nan_guard import NanGuard
from tests.helpers import Line, assert_same_bits, points, run
from trainer.callback import Callback, Context
from trainer.checkpoints.record import read_record
from trainer.data.arrays import Arrays, InMemory
from trainer.data.streamed import Streamed
from trainer.errors import NonFiniteError, TrainerError

BAD_EXAMPLE, BAD = 12, 7
"""Example with the bad value, the fifth of the second batch, and the value; a good one is 1."""

TABLE = [1.0, 2.0, 3.0, 4.0]


def gather(i: Any) -> Any:
    return tf.gather(TABLE, i)


class Indexed(Line):
    """Line whose loss in training has a term of the labels' index, which depends on the variables as well."""

    term: Callable[[Any], Any] = staticmethod(gather)

    def loss(self, outputs: Any, labels: Any) -> Any:
        extra = tf.reduce_mean(tf.cast(self.term(labels["index"]), tf.float32)) * tf.reduce_sum(self.b)
        return super().loss(outputs, labels) + 0.01 * extra


def indexed(bad: int = 1) -> InMemory:
    arrays = points()
    index = np.ones(len(arrays), np.int32)
    index[BAD_EXAMPLE] = bad
    return InMemory(Arrays(arrays.inputs, {**arrays.labels, "index": index}), batch_size=8, shuffle=False)


def with_term(function: Callable[[Any], Any]) -> type[Indexed]:
    return type("Model", (Indexed,), {"term": staticmethod(function)})


def loop(i: Any) -> Any:
    start = [0, tf.zeros([8])]
    return tf.while_loop(lambda j, _: j < 2, lambda j, a: (j + 1, a + gather(i)), start, maximum_iterations=2)[1]


def asserted(i: Any) -> Any:
    with tf.control_dependencies([tf.debugging.assert_less(i, 4, message="four classes")]):
        return tf.identity(i)


def cross_entropy(i: Any) -> Any:
    return tf.nn.sparse_softmax_cross_entropy_with_logits(i, tf.ones([8, 4]))


OUTSIDE = r"indices\[4\] = 7 is not in \[0, 4\)"
TERMS = {
    "gather": (gather, OUTSIDE),
    "labels": (cross_entropy, r"label value of 7 .* \[0, 4\)"),
    "division": (lambda i: 10 // (i - BAD), "Integer division by zero"),
    "one row": (lambda i: tf.constant(TABLE)[i[4]], "slice index 7 of dimension 0 out of bounds"),
    "segments": (lambda i: tf.math.unsorted_segment_sum(tf.ones([8]), i, 4), r"= 7 is out of range \[0, 4\)"),
    "scatter": (lambda i: tf.scatter_nd(i[:, tf.newaxis], tf.ones([8]), [4]), r"indices\[4\] = \[7\] does not index"),
    "assertion": (asserted, "four classes"),
    "numerics": (lambda i: tf.debugging.check_numerics(1 / (i - BAD), "inverse"), "inverse : Tensor had Inf"),
    "loop": (loop, OUTSIDE),
    "branch": (lambda i: tf.cond(i[0] < 9, lambda: gather(i), lambda: tf.zeros([8])), OUTSIDE),
    "function": (lambda i: tf.function(gather, autograph=False)(i), OUTSIDE),
    "array": (lambda i: tf.TensorArray(tf.float32, 4).unstack(TABLE).read(i[4]), "access element 7 in a list with 4"),
}  # fmt: skip


FAST = ("labels", "loop")
"""Kinds in the suite; the others are slow tests."""


def check_that_compiling_changes_no_error(directory: Path, kind: str, mode: str) -> None:
    term, message = TERMS[kind]
    with pytest.raises(TrainerError, match=f"a step of the model failed: .*{message}"):
        run(directory / "run", {"n": NanGuard()}, make_model=with_term(term), data=indexed(BAD), compile=mode)


@pytest.mark.parametrize("mode", ["off", "auto", "xla"])
@pytest.mark.parametrize("kind", FAST)
def test_31_compiling_never_changes_what_is_an_error(tmp_path, kind, mode) -> None:
    check_that_compiling_changes_no_error(tmp_path, kind, mode)


@pytest.mark.parametrize("mode", ["off", "auto", "xla"])
@pytest.mark.parametrize("kind", [kind for kind in TERMS if kind not in FAST])
def test_31_compiling_changes_no_error_of_any_kind(tmp_path, kind, mode) -> None:
    check_that_compiling_changes_no_error(tmp_path, kind, mode)


@pytest.mark.parametrize("kind", TERMS)
def test_31_checks_change_no_result(tmp_path, kind) -> None:
    loss = {
        mode: run(tmp_path / mode, make_model=with_term(TERMS[kind][0]), data=indexed(), compile=mode).metrics["loss"]
        for mode in ("off", "xla")
    }
    assert read_record(tmp_path / "xla/checkpoints/model-3.json").settings["compile"] == "xla"
    assert loss["xla"] == pytest.approx(loss["off"], rel=1e-5)


def test_an_op_without_a_check_is_not_compiled(tmp_path, caplog) -> None:
    masked = with_term(lambda i: tf.boolean_mask(tf.cast(i, tf.float32), i > 0))
    run(tmp_path / "run", make_model=masked, data=indexed(), epochs=1, compile="xla")
    assert "XLA cannot compile this model with TensorFlow's checks (Where)" in caplog.text
    assert read_record(tmp_path / "run/checkpoints/model-1.json").settings["compile"] == "off"


class LogOfLabel(Line):
    """Log in the loss, which is -inf for a label of 0; the sine of that is nan."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        return super().loss(outputs, labels) + 1e-6 * tf.math.sin(tf.reduce_mean(tf.math.log(tf.abs(labels["y"]))))


class RootOfZero(Line):
    """Root whose gradient is infinite for an error of 0, so that the loss is nan one step later."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        error = (outputs["op"] - labels["y"]) * tf.constant([[1.0, 2.0]]) * tf.cast(labels["y"] > -1e3, tf.float32)
        return tf.reduce_mean(tf.norm(error, axis=1))


def with_label(value: float) -> InMemory:
    arrays = points()
    arrays.labels["y"][13] = value
    return InMemory(arrays, batch_size=8, shuffle=False)


def with_input(value: float) -> InMemory:
    arrays = points()
    arrays.inputs["x"][13, 1] = value
    return InMemory(arrays, batch_size=8, shuffle=False)


HERE = r"\(.*test_inquiry.py:\d+\)"
ORIGINS = {
    "loss": (LogOfLabel, with_label(0.0), rf"^loss is nan after step 2: Log {HERE} gave -inf for an input of 0$"),
    "gradient": (
        RootOfZero,
        with_label(-1e4),
        rf"^loss is nan after step 3: \w+ in the gradient of \w+ {HERE} gave (inf|nan) .* in step 2$",
    ),
    "input": (Line, with_input(np.nan), r"^loss is nan after step 2: x of example 5 of the batch holds nan$"),
    "label": (Line, with_label(np.inf), r"^loss is inf after step 2: y of example 5 of the batch holds inf$"),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "mode"), [*((kind, "off") for kind in ORIGINS), ("loss", "xla"), ("gradient", "xla")])
def test_a_nan_names_its_op(tmp_path, kind, mode) -> None:
    model, data, message = ORIGINS[kind]
    with pytest.raises(NonFiniteError, match=message):
        run(tmp_path / "run", {"n": NanGuard()}, make_model=model, data=data, compile=mode)


class Looped(Line):
    """Reciprocal of a label inside a loop."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        start = [0, tf.zeros_like(labels["y"])]
        total = tf.while_loop(lambda i, _: i < 2, lambda i, a: (i + 1, a + 1 / labels["y"]), start)[1]
        return super().loss(outputs, labels) + 1e-6 * tf.reduce_mean(total)


class Overflowing(Line):
    def loss(self, outputs: Any, labels: Any) -> Any:
        return super().loss(outputs, labels) + tf.reduce_mean(tf.exp(labels["y"]))


class Masked(Line):
    """A mask of -inf, which is meant, beside the log of 0."""

    def loss(self, outputs: Any, labels: Any) -> Any:
        masked = tf.where(labels["y"] > 1e6, labels["y"], -np.inf)
        share = tf.reduce_sum(tf.exp(masked)) + 1e-6 * tf.reduce_mean(tf.math.log(tf.abs(labels["y"])))
        return super().loss(outputs, labels) - share


class InLayer(tf.keras.layers.Layer):
    def call(self, x: Any) -> Any:
        return tf.math.rsqrt(x)


class OfKeras(Line):
    def __init__(self) -> None:
        super().__init__()
        self.layer = InLayer(name="root")

    def loss(self, outputs: Any, labels: Any) -> Any:
        return super().loss(outputs, labels) + 1e-6 * tf.reduce_mean(self.layer(tf.abs(labels["y"])))


STREAMED = {
    "log": (LogOfLabel, 0.0, rf"^loss is nan after step 2: Log {HERE} gave -inf for an input of 0$"),
    "gradient": (
        RootOfZero,
        -1e4,
        rf"^\S+ is nan after step 2: \w+ in the gradient of \w+ {HERE} gave (inf|nan) .*$",
    ),
    "label": (Line, np.inf, r"^loss is inf after step 2: y of example 5 of the batch holds inf$"),
    "loop": (Looped, 0.0, rf"^loss is inf after step 2: (Stateless)?While {HERE} gave inf .*"),
    "overflow": (Overflowing, 100.0, rf"^loss is inf after step 2: Exp {HERE} gave inf for an input of 100$"),
    "mask": (Masked, 0.0, rf"^loss is inf after step 2: Log {HERE} gave -inf for an input of 0$"),
    "layer": (OfKeras, 0.0, rf"^loss is inf after step 2: Rsqrt {HERE} gave inf for an input of 0$"),
}  # fmt: skip


@pytest.mark.parametrize("kind", STREAMED)
def test_a_nan_in_a_data_set_names_its_op_where_that_is_asked_for(tmp_path, kind) -> None:
    model, value, message = STREAMED[kind]
    arrays = with_label(value).train

    def examples() -> Any:
        return tf.data.Dataset.from_tensor_slices((dict(arrays.inputs), dict(arrays.labels)))

    asked = {"data": Streamed(examples, 8, shuffle_buffer=0), "steps_per_call": 1, "debug": "numerics"}
    with pytest.raises(NonFiniteError, match=message):
        run(tmp_path / "run", {"n": NanGuard()}, make_model=model, **asked)


class Watch(Callback):
    """Recorder of the variables after the call with the nan, and after it was looked into."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def look(self, context: Context) -> None:
        variables = context.session.graph.get_collection("variables")
        self.seen.append(context.session.run({variable.op.name: variable for variable in variables}))

    def on_call_end(self, context: Context, _steps: Any) -> None:
        self.look(context)

    def on_exception(self, context: Context, _error: BaseException) -> None:
        self.look(context)


@pytest.mark.parametrize("mode", ["off", "xla"])
def test_the_variables_are_as_before_after_a_nan_was_looked_into(tmp_path, mode) -> None:
    watch = Watch()
    parts = {"w": watch, "n": NanGuard()}
    with pytest.raises(NonFiniteError, match="Log"):
        run(tmp_path / "run", parts, make_model=LogOfLabel, data=with_label(0.0), compile=mode, steps_per_call=4)
    after_the_call, after_the_inquiry = watch.seen
    assert after_the_call["global_step"] == 4
    assert all(np.array_equal(value, after_the_inquiry[name]) for name, value in after_the_call.items())


def test_copies_of_the_variables_change_no_bit(tmp_path, monkeypatch) -> None:
    """Copies share their memory with the variables; both must keep their values."""
    run(tmp_path / "straight", {"c": Checkpoint(every_n_epochs=3)}, compile="xla")
    monkeypatch.setattr("trainer.training.inquiry.MIN_SECS_BETWEEN_COPIES", 0.0)
    monkeypatch.setattr("trainer.training.inquiry.SECS_PER_BYTE", 0.0)
    run(tmp_path / "copied", {"c": Checkpoint(every_n_epochs=3)}, compile="xla", steps_per_call=1)
    assert_same_bits(tmp_path / "straight/checkpoints/model-3", tmp_path / "copied/checkpoints/model-3")


def test_variables_that_share_their_initial_value_are_put_back(tmp_path) -> None:
    class Shared(LogOfLabel):
        def __init__(self) -> None:
            super().__init__()
            initial = tf.constant([[0.5], [0.25]])
            self.one, self.two = (tf.compat.v1.Variable(initial, use_resource=True) for _ in range(2))

        def __call__(self, inputs: Any, training: bool) -> Any:
            op = super().__call__(inputs, training)["op"]
            return {"op": op + inputs["x"] @ self.one + 2 * inputs["x"] @ self.two}

    with pytest.raises(NonFiniteError, match=r"after step 2: Log .* gave -inf for an input of 0"):
        run(tmp_path / "run", {"n": NanGuard()}, make_model=Shared, data=with_label(0.0))


def test_a_failed_inquiry_leaves_the_error_as_it_is(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("trainer.training.inquiry.find_origin", lambda *_: 1 / 0)
    with pytest.raises(NonFiniteError, match=r"^loss is nan after step 2$"):
        run(tmp_path / "run", {"n": NanGuard()}, make_model=LogOfLabel, data=with_label(0.0))
