"""Models, data and optimizers of every family, trained small and for real, and resumed."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from tests.helpers import Line, assert_same_bits, job, points, run, variables
from trainer.callback import Callback, Context
from trainer.checkpoints.record import read_record
from trainer.data.arrays import Arrays, InMemory
from trainer.data.streamed import Streamed
from trainer.errors import RequestError
from trainer.graph.compile_rule import choose
from trainer.graph.data_source import inspect_source
from trainer.graph.feeds import Skips
from trainer.graph.optimizers import rate_of_step
from trainer.graph.train_step import STEPS_PLANNED

v1 = tf.compat.v1


class Module(tf.Module):
    """The same line as a tf.Module with tf.Variables."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable([[0.1], [0.1]], name="w")

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": inputs["x"] @ self.w}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))


class Net(Line):
    """Keras layers with BatchNormalization and Dropout, made when they are first called."""

    def __init__(self) -> None:
        layers = keras.layers
        self.net = keras.Sequential(
            [layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dropout(0.2), layers.Dense(1)]
        )

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.net(inputs["x"], training=training)}


class Noisy(Line):
    """Takes the seed of the step for a stateless random op."""

    def __call__(self, inputs: Any, training: bool, seed: Any) -> Any:
        x = inputs["x"]
        return super().__call__({"x": x + tf.random.stateless_normal(tf.shape(x), seed) if training else x}, training)


def dataset() -> tf.data.Dataset:
    arrays = points()
    return tf.data.Dataset.from_tensor_slices((dict(arrays.inputs), dict(arrays.labels)))


def v1_momentum(global_step: Any, _scale: Any) -> Any:
    def decayed(global_step: Any) -> Any:
        return v1.train.exponential_decay(0.1, global_step, decay_steps=5, decay_rate=0.5)

    return v1.train.MomentumOptimizer(rate_of_step(decayed, global_step), 0.9)


ADAMW = keras.optimizers.AdamW
CASES: dict[str, dict[str, Any]] = {
    "plain TensorFlow": {},
    "compiled": {"compile": "xla"},
    "tf.Module": {"make_model": Module},
    "Keras layers": {"make_model": Net},
    "seeded random op": {"make_model": Noisy},
    "tf.data": {"data": lambda: Streamed(dataset, batch_size=8, shuffle_buffer=16)},
    "graph-mode optimizer with decay": {"make_optimizer": v1_momentum},
    "AdamW with cosine and clipping": {
        "make_optimizer": lambda _step, _scale: ADAMW(
            keras.optimizers.schedules.CosineDecay(0.1, 20), global_clipnorm=1.0
        )
    },
    "moving average": {"make_optimizer": lambda _step, _scale: keras.optimizers.SGD(0.1, momentum=0.9, use_ema=True)},
    "accumulation": {"make_optimizer": lambda _step, _scale: keras.optimizers.Adam(0.1, gradient_accumulation_steps=3)},
    "in order": {"data": lambda: InMemory(points(), batch_size=8, shuffle=False)},
}


class Stop(Callback):
    """Ends a run at a step, in good order; the checkpoint saves there."""

    def __init__(self, at: int) -> None:
        from trainer.schedule import Schedule

        self.schedule = Schedule(every_n_steps=at)

    def on_step_end(self, context: Context) -> None:
        context.request_stop("half")


@pytest.mark.parametrize("case", CASES)
def test_a_resume_in_mid_epoch_ends_with_the_same_bits(case, tmp_path) -> None:
    changes = {key: value() if key == "data" else value for key, value in CASES[case].items()}
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    run(straight, epochs=4, **changes)
    checkpoint = Checkpoint(every_n_epochs=1)
    assert run(resumed, {"stop": Stop(7), "checkpoint": checkpoint}, epochs=4, **changes).global_step == 7
    assert (resumed / "checkpoints" / "model-1+2.json").exists()
    changes = {key: value() if key == "data" else value for key, value in CASES[case].items()}
    assert run(resumed, epochs=4, steps_per_call=3, **changes).global_step == 20
    assert_same_bits(straight / "checkpoints" / "model-4", resumed / "checkpoints" / "model-4")


@pytest.mark.parametrize("case", ["plain TensorFlow", "compiled", "Keras layers", "tf.data"])
def test_the_number_of_steps_per_call_changes_no_bit(case, tmp_path) -> None:
    for per_call in (1, 4, None):
        changes = {key: value() if key == "data" else value for key, value in CASES[case].items()}
        run(tmp_path / str(per_call), {"c": Checkpoint(every_n_epochs=4)}, epochs=4, steps_per_call=per_call, **changes)
    for per_call in (4, None):
        assert_same_bits(tmp_path / "1/checkpoints/model-4", tmp_path / str(per_call) / "checkpoints/model-4")


@pytest.mark.parametrize("case", ["plain TensorFlow", "tf.data"])
def test_a_call_that_is_longer_than_its_plans_changes_no_bit(case, tmp_path) -> None:
    """250 steps in one call: two whole plans and a part of the third."""
    assert 2 * STEPS_PLANNED < 250 < 3 * STEPS_PLANNED
    for per_call in (1, 250):
        changes = {key: value() if key == "data" else value for key, value in CASES[case].items()}
        saves = {"c": Checkpoint(every_n_epochs=50)}
        run(tmp_path / str(per_call), saves, epochs=50, steps_per_call=per_call, **{**changes, "compile": "off"})
    assert_same_bits(tmp_path / "1/checkpoints/model-50", tmp_path / "250/checkpoints/model-50")


def test_training_finds_the_plane(tmp_path) -> None:
    assert run(tmp_path / "run", {}, epochs=60).metrics["loss"] < 1e-2


def test_each_pass_has_every_example_once_and_another_order() -> None:
    arrays = Arrays({"x": np.arange(12)}, {"y": np.arange(12)})
    with tf.Graph().as_default(), v1.Session() as session:
        feed = inspect_source(InMemory(arrays, batch_size=4)).make_feed(7, Skips())
        step = v1.placeholder(tf.int64, [])
        (one, _), many = feed.batch(feed.plan(step, 1, 1)[0]), feed.batches(feed.plan(step, 6, 10**9), 6)
        feed.initialise(session)
        batches = [session.run(one, {step: i}) for i in range(6)]
        gathered = session.run(many, {step: 0})
    passes = [np.concatenate([batch[0]["x"] for batch in part]) for part in (batches[:3], batches[3:])]
    for one_pass in passes:
        assert sorted(one_pass) == list(range(12))
    assert not np.array_equal(*passes)
    assert np.array_equal(gathered[0]["x"].ravel(), np.concatenate(passes))
    assert all(np.array_equal(batch[0]["x"], batch[1]["y"]) for batch in batches)


def test_evaluation_is_the_mean_over_all_validation_examples(tmp_path) -> None:
    """11 examples in batches of 8: the short last batch counts for what it is."""

    class Look(Callback):
        values: dict[str, float]

        def on_train_end(self, context: Context) -> None:
            w, b = context.session.run(context.session.graph.get_collection(v1.GraphKeys.TRAINABLE_VARIABLES))
            self.values = {"w": w, "b": b, **context.record.metrics}

    data, look = InMemory(points(44), batch_size=8, validation=0.25), Look()
    run(tmp_path / "run", {"evaluate": Evaluate(), "look": look}, data=data)
    x, y = data.validation.inputs["x"], data.validation.labels["y"]
    errors = x @ look.values["w"] + look.values["b"] - y
    assert len(x) == 11
    assert look.values["val_loss"] == pytest.approx(np.mean(errors**2), rel=1e-5)
    assert look.values["val_error"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-5)


def test_evaluation_over_a_data_set(tmp_path) -> None:
    validation = run(tmp_path / "a", {"e": Evaluate()}, data=Streamed(dataset, 8, validation=dataset)).metrics
    assert validation["val_loss"] > 0


def test_a_checkpoint_that_does_not_fit_is_refused_with_a_table(tmp_path) -> None:
    run(tmp_path / "run", epochs=1)

    class Wider(Line):
        def __init__(self) -> None:
            self.w = v1.get_variable("w", [2, 1], tf.float64)
            self.b = v1.get_variable("c", [1])

        def __call__(self, inputs: Any, training: bool) -> Any:
            return {"op": inputs["x"] @ tf.cast(self.w, tf.float32) + self.b}

    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(RequestError) as refused:
        run(tmp_path / "run", epochs=2, make_model=Wider)
    for line in ["w: graph float64 [2, 1], file float32 [2, 1]", "c: graph", "b: not in the graph"]:
        assert line in str(refused.value)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


BAD_MODELS = {
    "returns no dict": (lambda self, inputs, training: inputs["x"], "must return a dict"),
    "takes other inputs": (lambda self, inputs, training: {"op": inputs["z"]}, r"x float32 \[batch, 2\]: KeyError"),
    "does not fit": (lambda self, inputs, training: {"op": inputs["x"] @ tf.ones([3, 1])}, "Dimensions must be equal"),
    "reuses a name": (lambda self, inputs, training: {"x": inputs["x"]}, "has an op 'x' already"),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_a_model_that_does_not_fit_is_refused_before_anything_is_created(case, tmp_path) -> None:
    call, message = BAD_MODELS[case]
    model = type("Bad", (Line,), {"__call__": call})
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", make_model=model)
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_no_scalar_is_refused(tmp_path) -> None:
    model = type("Bad", (Line,), {"loss": lambda self, outputs, labels: tf.square(outputs["op"] - labels["y"])})
    with pytest.raises(RequestError, match="must return a float scalar"):
        run(tmp_path / "run", make_model=model)


def test_a_wrong_optimizer_is_refused(tmp_path) -> None:
    with pytest.raises(RequestError, match="must name an optimizer of Keras"):
        run(tmp_path / "run", make_optimizer=lambda _step, _scale: "sgd")


def test_data_that_is_made_too_early_is_refused() -> None:
    with pytest.raises(RequestError, match="_partial_: true"):
        Streamed(dataset(), batch_size=8)


def test_a_batch_larger_than_a_data_set_is_refused(tmp_path) -> None:
    with pytest.raises(RequestError, match="larger than the data"):
        run(tmp_path / "run", data=Streamed(dataset, batch_size=80))


RULE = [
    ("off", {"MatMul"}, 10, True, "off"),
    ("xla", {"Conv2D"}, 10**9, True, "xla"),
    ("auto", {"MatMul", "Relu", "ReadVariableOp"}, 10, True, "xla"),
    ("auto", {"MatMul"}, 10, False, "off"),
    ("auto", {"MatMul", "Conv2D"}, 10, True, "off"),
    ("auto", {"StatelessRandomUniformV2", "MatMul"}, 10, True, "off"),
    ("auto", {"EagerPyFunc"}, 10, True, "off"),
    ("auto", {"MatMul"}, 10**7, True, "off"),
]


@pytest.mark.parametrize(("setting", "ops", "parameters", "in_memory", "expected"), RULE)
def test_the_rule_for_compiling(setting, ops, parameters, in_memory, expected) -> None:
    mode = choose(setting, ops, parameters, in_memory=in_memory)
    assert mode.name == expected
    assert mode.reason


def test_compiling_a_pipeline_is_refused() -> None:
    with pytest.raises(RequestError, match="needs data in memory"):
        choose("xla", {"MatMul"}, 10, in_memory=False)


def test_the_mode_is_kept_on_resume(tmp_path) -> None:
    run(tmp_path / "run", epochs=1, compile="xla")
    run(tmp_path / "run", epochs=2, compile="off")
    record = read_record(tmp_path / "run/checkpoints/model-2.json")
    assert record.settings["compile"] == "xla"


def test_variables_of_a_checkpoint_are_the_models_and_the_optimizers(tmp_path) -> None:
    run(tmp_path / "run", epochs=1)
    names = set(variables(tmp_path / "run/checkpoints/model-1"))
    assert {"w", "b", "global_step"} <= names
    assert len([name for name in names if "momentum" in name or "velocity" in name]) == 4
    assert not [name for name in names if "training_data" in name]


def test_a_job_can_be_made_without_hydra(tmp_path) -> None:
    assert job(tmp_path / "run").epochs == 3


def test_measuring_takes_one_mode_and_records_it(tmp_path, caplog) -> None:
    import json
    import logging

    with caplog.at_level(logging.INFO):
        run(tmp_path / "run", epochs=1, compile="measure")
    facts = json.loads((tmp_path / "run/run.json").read_text())
    assert facts["compile"] in ("off", "xla")
    assert "steps/s" in facts["compile_reason"]
    assert read_record(tmp_path / "run/checkpoints/model-1.json").settings["compile"] == facts["compile"]
    assert f"taken: loop.compile={facts['compile']}" in caplog.text
    run(tmp_path / "straight", epochs=1, compile=facts["compile"])
    assert_same_bits(tmp_path / "run/checkpoints/model-1", tmp_path / "straight/checkpoints/model-1")


def test_a_model_that_xla_cannot_compile_runs_as_it_is(tmp_path, caplog) -> None:
    class Strings(Line):
        def __call__(self, inputs: Any, training: bool) -> Any:
            return super().__call__({"x": tf.strings.to_number(tf.strings.as_string(inputs["x"]))}, training)

    run(tmp_path / "run", epochs=1, compile="xla", make_model=Strings)
    assert caplog.text.count("XLA cannot compile this model") == 1
    assert read_record(tmp_path / "run/checkpoints/model-1.json").settings["compile"] == "off"
