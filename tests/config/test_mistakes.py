"""Mistakes that people make with models, data and callbacks, and what they are told."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.early_stopping import EarlyStopping
from callbacks.evaluate import Evaluate
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import Line, job, points, run, variables
from trainer.callback import Callback, Context
from trainer.data.arrays import InMemory
from trainer.data.streamed import Streamed
from trainer.errors import CallbackError, RequestError, TrainerError
from trainer.schedule import Schedule
from trainer.training.resume import check_writable
from trainer.training.train import train


class Keras(Line):
    """A frozen layer below a head, as fine-tuning has it."""

    def __init__(self) -> None:
        self.base = keras.layers.Dense(4, name="base", trainable=False)
        self.parts = {"head": [keras.layers.Dense(1, name="head")]}

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.parts["head"][0](self.base(inputs["x"]))}


class KerasModel(Keras):
    """The same as a whole Keras model with an inner one frozen."""

    def __init__(self) -> None:
        inputs = keras.Input([2])
        base = keras.Sequential([keras.layers.Dense(4)], name="base")
        self.net = keras.Model(inputs, keras.layers.Dense(1, name="head")(base(inputs)))
        base.trainable = False

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.net(inputs["x"], training=training)}


@pytest.mark.parametrize("model", [Keras, KerasModel])
def test_a_frozen_layer_is_not_trained(tmp_path, model) -> None:
    run(tmp_path / "run", epochs=2, make_model=model)
    first, second = (variables(tmp_path / f"run/checkpoints/model-{n}") for n in (1, 2))
    for name in first:
        if name.endswith(("kernel", "bias")):
            assert np.array_equal(first[name], second[name]) == name.startswith("base"), name


class Late(Line):
    """Makes a layer when it is first called in training."""

    layer: Any = None

    def __call__(self, inputs: Any, training: bool) -> Any:
        if training and self.layer is None:
            self.layer = keras.layers.Dense(1)
        op = super().__call__(inputs, training)["op"]
        return {"op": op + self.layer(inputs["x"]) if training else op}


class Again(Line):
    """Makes a layer in each call."""

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": super().__call__(inputs, training)["op"] + keras.layers.Dense(1)(inputs["x"])}


@pytest.mark.parametrize(("model", "message"), [(Late, "in the constructor"), (Again, "in the constructor")])
def test_layers_made_too_late_or_too_often_are_refused(tmp_path, model, message) -> None:
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", make_model=model)


@pytest.mark.parametrize("name", ["loss", "epoch", "steps_per_sec", "val_loss"])
def test_a_metric_that_bears_a_name_of_the_trainer_is_refused(tmp_path, name) -> None:
    model = type("Bad", (Line,), {"metrics": lambda self, outputs, labels: {name: tf.constant(1.0)}})
    with pytest.raises(RequestError, match="a name that the trainer uses itself"):
        run(tmp_path / "run", make_model=model)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [({"op": None}, "no tensor"), ({"my op": tf.zeros}, "no name|no tensor"), ({}, "must return a dict")],
)
def test_outputs_that_are_none_are_refused(tmp_path, outputs, message) -> None:
    model = type("Bad", (Line,), {"__call__": lambda self, inputs, training: outputs})
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", make_model=model)


def test_a_keras_model_is_held_not_handed_over(tmp_path) -> None:
    def whole() -> Any:
        return keras.Sequential([keras.layers.Input([2]), keras.layers.Dense(1)])

    with pytest.raises(RequestError, match="Sequential"):
        run(tmp_path / "run", make_model=whole)


def test_an_error_of_a_step_is_told_in_one_line(tmp_path) -> None:
    class Lookup(Line):
        def __call__(self, inputs: Any, training: bool) -> Any:
            row = tf.gather(self.w, tf.fill([tf.shape(inputs["x"])[0]], 7))
            return {"op": inputs["x"] @ self.w + self.b + row}

    with pytest.raises(
        TrainerError, match=r"^a step of the model failed: InvalidArgumentError: .*7 is not in \[0, 2\)$"
    ):
        run(tmp_path / "run", {}, make_model=Lookup)


class Table(Line):
    """Looks its input up in a table."""

    def __init__(self) -> None:
        super().__init__()
        keys, values = tf.constant([0, 1], tf.int64), tf.constant([0.5, 1.5])
        initializer = tf.lookup.KeyValueTensorInitializer(keys, values)
        self.table = tf.lookup.StaticHashTable(initializer, 0.0)

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": inputs["x"] @ self.w + self.table.lookup(tf.cast(inputs["x"][:, :1] > 0, tf.int64))}


def test_a_model_with_a_table_trains(tmp_path) -> None:
    assert run(tmp_path / "run", make_model=Table).epoch == 3


@pytest.mark.parametrize("export", [Freeze, SavedModel])
def test_a_table_cannot_be_exported_and_that_is_said_at_once(tmp_path, export) -> None:
    with pytest.raises(RequestError, match="look-up table"):
        run(tmp_path / "run", {"e": export()}, make_model=Table)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("name", "message"), [("w", "is a variable"), ("x", "is an input")])
def test_a_variable_or_an_input_is_no_output(tmp_path, name, message) -> None:
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", {"f": Freeze(outputs=[name])})


def test_a_stop_inside_a_call_is_refused_with_the_remedy(tmp_path) -> None:
    class Stop(Callback):
        def on_epoch_end(self, context: Context) -> None:
            context.request_stop("enough")

    with pytest.raises(CallbackError, match=r"give the callback schedule = Schedule\(every_n_epochs=1\)"):
        run(tmp_path / "run", {"stop": Stop()}, steps_per_call=7)


@pytest.mark.parametrize("per_call", [1, 3, None])
def test_early_stopping_ends_at_the_same_step_whatever_the_calls(tmp_path, per_call) -> None:
    parts = {"e": EarlyStopping(monitor="loss", patience=1, min_delta=0.5), "c": Checkpoint(every_n_epochs=50)}
    assert run(tmp_path / "run", parts, epochs=100, steps_per_call=per_call).global_step == 45


def test_what_a_callback_reports_can_be_monitored_and_nothing_else(tmp_path) -> None:
    class Report(Callback):
        schedule = Schedule(every_n_epochs=1)

        def reported_metrics(self, build: Any) -> list[str]:
            return ["mine"]

        def on_step_end(self, context: Context) -> None:
            context.report({"mine": np.float32(1.0)})

    parts = {"r": Report(), "e": EarlyStopping(monitor="mine", patience=2), "c": Checkpoint()}
    assert run(tmp_path / "a", parts, epochs=9).epoch == 3
    data = {"data": InMemory(points(), 8, validation=0.2)}
    with pytest.raises(RequestError, match="'val_loss'"):
        run(tmp_path / "b", {"e": EarlyStopping(monitor="val_loss")}, **data)
    assert run(tmp_path / "c", {"v": Evaluate(), "e": EarlyStopping(monitor="val_loss")}, **data).epoch == 3


@pytest.mark.parametrize("metric", [None, "three", [1.0]])
def test_a_metric_that_is_no_number_names_its_callback(tmp_path, metric) -> None:
    class Report(Callback):
        def on_epoch_end(self, context: Context) -> None:
            context.report({"mine": metric})

    with pytest.raises(CallbackError, match=r"callbacks\.r failed in on_epoch_end"):
        run(tmp_path / "run", {"r": Report(), "c": Checkpoint()})


def test_a_state_that_is_no_json_names_its_callback(tmp_path) -> None:
    class State(Callback):
        def state_dict(self) -> dict[str, Any]:
            return {"array": np.zeros(2)}

    with pytest.raises(CallbackError, match=r"callbacks\.s failed in state_dict"):
        run(tmp_path / "run", {"s": State(), "c": Checkpoint()})


def test_epochs_of_another_length_are_refused_on_resume(tmp_path) -> None:
    run(tmp_path / "run", epochs=2)
    with pytest.raises(RequestError, match="has 5 steps, and would now have 10"):
        run(tmp_path / "run", epochs=3, data=InMemory(points(), 4))


def generated() -> tf.data.Dataset:
    def examples() -> Any:
        arrays = points()
        for x, y in zip(arrays.inputs["x"], arrays.labels["y"], strict=True):
            yield {"x": x}, {"y": y}

    spec = {"x": tf.TensorSpec([2], tf.float32)}, {"y": tf.TensorSpec([1], tf.float32)}
    return tf.data.Dataset.from_generator(examples, output_signature=spec)


def test_a_pipeline_that_cannot_be_saved_is_refused_at_once(tmp_path, caplog) -> None:
    pipeline = {"batch_size": 4, "shuffle_buffer": 0, "steps_per_epoch": 10}
    with pytest.raises(RequestError, match=r"data\.save_position=false"):
        run(tmp_path / "run", data=Streamed(generated, **pipeline))
    assert not (tmp_path / "run").exists()
    run(tmp_path / "run", data=Streamed(generated, save_position=False, **pipeline), epochs=1)
    assert "a resume starts the data from its beginning" in caplog.text
    assert run(tmp_path / "run", data=Streamed(generated, save_position=False, **pipeline), epochs=2).epoch == 2


def test_a_choice_of_variables_without_the_pipeline_is_not_complete(tmp_path, caplog) -> None:
    def dataset() -> tf.data.Dataset:
        arrays = points()
        return tf.data.Dataset.from_tensor_slices((dict(arrays.inputs), dict(arrays.labels)))

    run(tmp_path / "run", {"c": Checkpoint(var_list=["*"])}, data=Streamed(dataset, 8))
    assert "serve a warm start" in caplog.text


def test_two_new_runs_in_the_same_second_have_a_directory_each(tmp_path) -> None:
    from dataclasses import replace
    from datetime import datetime

    from trainer.training.resume import Request, decide

    request = Request("never", tmp_path, "same", None, "model", datetime(2026, 1, 1))
    for _ in range(2):
        start = decide(request)
        train(replace(job(tmp_path / "unused"), start=start))
    assert sorted(path.name for path in (tmp_path / "same").iterdir()) == [
        "2026-01-01_00-00-00",
        "2026-01-01_00-00-00_2",
    ]


def test_a_name_that_tensorflow_takes_for_a_pattern_is_refused(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"holds '\['"):
        check_writable(tmp_path / "r[1]")
