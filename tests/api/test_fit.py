"""Training from Python: the same guarantees as from the command line, and nothing around it is changed."""

from __future__ import annotations

import logging
import random
import signal
import threading
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import trainer
from tests.helpers import Line, assert_same_bits, dataset, points
from trainer.callback import Callback
from trainer.schedule import Schedule


def fit(directory: Any, model: Any = Line, data: Any = None, optimizer: Any = "adam", **changes: Any) -> trainer.Result:
    parts = {"epochs": 3, "batch_size": 8, "verbose": False, "compile": "off", **changes}
    return trainer.fit(model, points() if data is None else data, optimizer, directory=directory, **parts)


class Kill(Callback):
    """Sends a signal to this process at the end of an epoch, as Ctrl-C does."""

    schedule = Schedule(every_n_epochs=1)

    def __init__(self, epoch: int, number: int = signal.SIGINT) -> None:
        self.epoch = epoch
        self.number = number

    def on_step_end(self, context: Any) -> None:
        if context.record.epoch == self.epoch:
            signal.raise_signal(self.number)  # to this thread, at once


class StopAt(Callback):
    schedule = Schedule(every_n_epochs=1)

    def on_step_end(self, context: Any) -> None:
        if context.record.epoch == 2:
            context.request_stop("two are enough")


def without_rates(metrics: Any) -> list[dict[str, float]]:
    return [{name: value for name, value in each.items() if name != "steps_per_sec"} for each in metrics]


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """A shell starts a job in the background with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> trainer.Result:
    """A run of six epochs that was never stopped."""
    return fit(tmp_path_factory.mktemp("straight") / "run", epochs=6, validation=0.25)


def test_an_interrupt_saves_and_returns_and_the_same_call_goes_on_to_the_same_bits(straight, tmp_path) -> None:
    first = fit(tmp_path / "run", epochs=6, validation=0.25, callbacks=[Kill(epoch=2)])
    assert (first.interrupted, first.reason, len(first.metrics)) == (True, "stopped by SIGINT", 2)
    assert [each.name for each in first.checkpoints] == ["model-6"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    then = fit(tmp_path / "run", epochs=6, validation=0.25)
    assert (then.interrupted, then.reason) == (False, "epoch 6 of 6 is complete")
    assert without_rates(then.metrics) == without_rates(straight.metrics)
    assert_same_bits(then.checkpoints[-1].prefix, straight.checkpoints[-1].prefix)
    again = fit(tmp_path / "run", epochs=6, validation=0.25)
    assert (again.reason, again.metrics) == (then.reason, then.metrics)


def test_the_second_interrupt_is_as_without_a_run(tmp_path) -> None:
    class Twice(Kill):
        def on_exception(self, context: Any, error: BaseException) -> None:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", callbacks=[Twice(epoch=1)])


def test_sigterm_ends_the_program_after_its_state_is_saved(tmp_path) -> None:
    with pytest.raises(trainer.Interrupted) as caught:
        fit(tmp_path / "run", callbacks=[Kill(1, signal.SIGTERM)])
    assert caught.value.exit_code == 143
    assert trainer.open_predictor(f"{tmp_path}/run@last").close() is None


def test_the_result_is_what_the_run_holds(straight) -> None:
    assert [each["epoch"] for each in straight.metrics] == [1, 2, 3, 4, 5, 6]
    assert {"loss", "error", "val_loss", "val_error", "global_step"} <= set(straight.metrics[0])
    with straight.predictor() as last:
        x = np.float32([[1.0, 2.0]])
        w, b = (tf.train.load_variable(str(straight.directory / "checkpoints/model-18"), name) for name in "wb")
        np.testing.assert_allclose(last(x=x)["op"], x @ w + b, rtol=1e-6)


def test_a_callback_stops_and_others_are_replaced_or_left_out(tmp_path) -> None:
    from callbacks.checkpoint import Checkpoint

    saver = Checkpoint(every_n_epochs=None, every_n_steps=3)
    result = fit(tmp_path / "run", callbacks=[StopAt(), saver])
    assert (result.reason, len(result.metrics)) == ("two are enough", 2)
    assert [each.name for each in result.checkpoints] == ["model-3", "model-6", "model-9", "model-10"]
    named = fit(tmp_path / "named", callbacks={"saver": Checkpoint(every_n_epochs=3)})
    assert [each.name for each in named.checkpoints] == ["model-3"]
    bare = fit(tmp_path / "bare", callbacks={"checkpoint": None, "metrics": None})
    assert (bare.checkpoints, len(bare.metrics)) == ((), 3)
    assert not (bare.directory / "metrics.jsonl").exists()


def test_what_is_around_a_run_is_left_as_it_was(tmp_path) -> None:
    keras.config.set_dtype_policy("float64")
    try:
        name = keras.layers.Dense(1).name
        random.seed(3)
        np.random.seed(3)
        expected = random.random(), np.random.random()
        random.seed(3)
        np.random.seed(3)
        levels = [logging.getLogger(each).level for each in ("", "trainer", "callbacks")]

        class Net(Line):
            def __call__(self, inputs: Any, training: bool) -> Any:
                op = keras.layers.Dense(1)(inputs["x"])
                assert op.dtype == tf.float64
                return {"op": tf.cast(op, tf.float32) + super().__call__(inputs, training)["op"]}

        with pytest.raises(trainer.RequestError, match="variables"):
            # Layers that are made in each call are new ones each time, which the trainer refuses.
            fit(tmp_path / "refused", Net)
        fit(tmp_path / "run")
        assert (random.random(), np.random.random()) == expected
        assert keras.config.dtype_policy().name == "float64"
        assert keras.layers.Dense(1).name == f"dense_{int(name.partition('_')[2] or 0) + 1}"
        assert [logging.getLogger(each).level for each in ("", "trainer", "callbacks")] == levels
        assert tf.executing_eagerly()
        assert float(keras.random.normal([])) != 0.0
    finally:
        keras.config.set_dtype_policy("float32")


def test_lines_are_shown_where_nothing_is_set_up(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    fit(tmp_path / "run", verbose=True)
    shown = capsys.readouterr().out
    assert "3 epochs of 5 steps" in shown
    assert "finished: epoch 3" in shown
    fit(tmp_path / "quiet", epochs=1)
    assert capsys.readouterr().out == ""


def test_fits_in_threads_have_the_bits_of_one_alone(straight, tmp_path) -> None:
    results: dict[int, Any] = {}

    def train(number: int) -> None:
        results[number] = fit(tmp_path / str(number), epochs=6, validation=0.25)

    threads = [threading.Thread(target=train, args=[number]) for number in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for result in results.values():
        assert_same_bits(result.checkpoints[-1].prefix, straight.checkpoints[-1].prefix)
    assert len(results) == 2


def test_a_data_set_that_calls_python_draws_again_what_a_run_had_drawn(tmp_path) -> None:
    arrays = points()

    def rows() -> Any:
        yield from zip(arrays.inputs["x"], arrays.labels["y"], strict=True)

    def examples() -> Any:
        specs = (tf.TensorSpec([2], tf.float32), tf.TensorSpec([1], tf.float32))
        return tf.data.Dataset.from_generator(rows, output_signature=specs).map(lambda x, y: ({"x": x}, {"y": y}))

    with pytest.raises(trainer.RequestError, match="or save_position=skip"):
        fit(tmp_path / "no", data=examples, shuffle=False)
    given = {"data": examples, "shuffle": False, "save_position": "skip"}
    straight = fit(tmp_path / "straight", **given)
    fit(tmp_path / "run", **given, callbacks=[Kill(epoch=1)])
    then = fit(tmp_path / "run", **given)
    assert then.reason == "epoch 3 of 3 is complete"
    assert_same_bits(then.checkpoints[-1].prefix, straight.checkpoints[-1].prefix)


class Needs(Line):
    def __init__(self, size: int) -> None:
        super().__init__()


class Made(Line):
    def __init__(self) -> None:
        self.w = tf.Variable(tf.zeros([2, 1]))
        self.b = tf.Variable(tf.zeros([1]))


WRONG = {
    "an unknown name": ({"optimizer": "adm"}, "not the name of a Keras optimizer; did you mean adam"),
    "no optimizer": ({"optimizer": None}, "no optimizer is given; add one"),
    "no kind of optimizer": ({"optimizer": 3}, "optimizer is a int; it must be a name"),
    "a class that needs a rate": (
        {"optimizer": tf.compat.v1.train.GradientDescentOptimizer},
        r"needs learning_rate; .*lambda: GradientDescentOptimizer\(learning_rate=",
    ),
    "no model": ({"model": 3}, "model is a int; it must be a model"),
    "a class that needs a size": ({"model": Needs}, r"Needs needs size; .*lambda: Needs\(size=...\)"),
    "a function of two": (
        {"model": lambda inputs, labels: inputs},
        "has the parameters inputs, labels; a function of graph mode has inputs, labels, training",
    ),
    "an object with variables": ({"model": Made}, None),
    "a loss twice": ({"loss": "mse"}, "loss is for a Keras model; Line is none, and has its own method loss"),
    "inputs alone": ({"data": np.zeros([4, 2])}, r"give inputs and labels together: \(inputs, labels\)"),
    "a data set": ({"data": tf.data.Dataset.range(3)}, "give the function that makes it"),
    "labels apart": ({"optimizer": np.zeros(4)}, r"optimizer is a ndarray; give inputs and labels together"),
    "no examples": ({"data": ({"x": np.zeros([0, 2])}, {"y": np.zeros([0, 1])})}, "the arrays hold no example"),
    "padded arrays": ({"pad": True}, "pad is for a function that makes a data set; data is arrays"),
    "four parts": ({"data": (1, 2, 3, 4)}, "data is a tuple of 4 parts"),
    "batches": (
        {"data": lambda: dataset().batch(20)},
        r"batch_size \(8\) is larger than the data; its elements are batches already, for which there is batched=true",
    ),
    "objects": ({"data": ({"x": [None, {}]}, {"y": [1, 2]})}, "of objects, not of numbers"),
    "no epochs": ({"epochs": 0}, r"epochs \(0\) must be at least 1"),
    "a mode": ({"compile": "of"}, r"compile \('of'\)"),
    "no callback": ({"callbacks": [3]}, "callbacks holds int, which is no callback"),
    "a callback of Keras": (
        {"callbacks": [keras.callbacks.EarlyStopping()]},
        r"holds EarlyStopping, which is no callback .*its like here is callbacks.early_stopping.EarlyStopping",
    ),
    "a class of callbacks": ({"callbacks": [StopAt]}, r"callbacks holds the class StopAt.*add \(\)"),
    "no default": ({"callbacks": {"chekpoint": None}}, "did you mean checkpoint"),
    "nothing to go on from": ({"resume": "latest"}, "there is no run in"),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_line_before_anything_is_made(changes, message, tmp_path) -> None:
    if message is None:
        changes = {"model": Made()}
        message = r"holds a \w+ with values that were made outside .*lambda: Made\("
    with pytest.raises(trainer.RequestError, match=message) as caught:
        fit(tmp_path / "run", **changes)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_resume_with_other_settings_is_refused_by_their_names(straight) -> None:
    with pytest.raises(trainer.RequestError, match="differs from the run in") as caught:
        fit(straight.directory, epochs=7, validation=0.25, batch_size=4, optimizer=keras.optimizers.Adam(0.5))
    lines = str(caught.value).splitlines()
    assert "  batch_size: 8 -> 4" in lines
    assert any(line.startswith("  optimizer") for line in lines)


def test_an_error_in_the_users_code_says_where(tmp_path) -> None:
    class Broken(Callback):
        def on_epoch_begin(self, context: Any) -> None:
            raise KeyError("mine")

    with pytest.raises(trainer.CallbackError, match=r"callbacks.broken failed in on_epoch_begin: .*test_fit.py:\d+"):
        fit(tmp_path / "run", callbacks=[Broken()])


def build(inputs: Any, labels: Any, training: bool) -> Any:
    """A model of graph mode that makes its own train op."""
    outputs = {"op": inputs["x"] @ tf.compat.v1.get_variable("w", [2, 1])}
    if labels is None:
        return outputs
    loss = tf.reduce_mean((outputs["op"] - labels["y"]) ** 2)
    if not training:
        return outputs, loss
    step = tf.compat.v1.train.get_or_create_global_step()
    return outputs, loss, tf.compat.v1.train.GradientDescentOptimizer(0.1).minimize(loss, step)


def test_a_function_of_graph_mode_trains_itself(tmp_path) -> None:
    result = fit(tmp_path / "run", build, optimizer=None, epochs=20)
    assert result.metrics[-1]["loss"] < result.metrics[0]["loss"]
