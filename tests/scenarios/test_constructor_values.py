"""A run of a model whose constructor gives its variables values, and of one whose inference changes variables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.nan_guard import NanGuard
from callbacks.saved_model import SavedModel
from tests.helpers import Line, Two, assert_same_bits, points, run, variables
from trainer.callback import Callback, Context
from trainer.data.arrays import InMemory
from trainer.errors import RequestError
from trainer.export.from_checkpoint import freeze_checkpoint
from trainer.schedule import Schedule
from trainer.warm_start import WarmStart

v1 = tf.compat.v1

SOLUTION = np.float32([[2.0], [-1.0]])
TABLE = np.random.default_rng(1).normal(size=(50_000, 2)).astype(np.float32)


class Solved(Line):
    """Line that starts at its solution."""

    def __init__(self) -> None:
        super().__init__()
        self.w.assign(SOLUTION)
        self.b.assign_add([0.5])


class Filled(Two):
    """Keras layers with averages, whose values are set."""

    def __init__(self) -> None:
        super().__init__()
        self.body.build((None, 2))
        self.body.set_weights([np.full(v.shape, 0.5, np.float32) for v in self.body.weights])


class Table(Line):
    """Line with a large table that is assigned, one that is made in a function, and one that an initialiser has."""

    def __init__(self) -> None:
        super().__init__()
        self.table = tf.Variable(tf.zeros([50_000, 2]), name="table")
        self.table.assign(TABLE)
        self.moved = tf.Variable(tf.zeros([50_000, 2]), name="moved")
        self.other = tf.Variable(tf.constant(TABLE * 3.0, name="other_values"), name="other")
        tf.function(lambda: self.moved.assign(self.moved + TABLE * 2.0), autograph=False)()

    def __call__(self, inputs: Any, training: bool) -> Any:
        rows = tf.gather(self.table, [3]) + tf.gather(self.moved, [4]) + tf.gather(self.other, [5])
        return {"op": super().__call__(inputs, training)["op"] + tf.reduce_sum(rows)}


def still(_step: Any, _scale: Any) -> Any:
    """Returns an optimizer that moves nothing."""
    return keras.optimizers.SGD(0.0)


def test_30_a_run_starts_from_the_values_and_a_resume_does_not(tmp_path, caplog) -> None:
    caplog.set_level("INFO")
    start = run(tmp_path / "start", make_model=Solved, make_optimizer=still, epochs=1)
    assert start.metrics["loss"] == pytest.approx(0.0, abs=1e-10)
    assert caplog.text.count("2 variables (w, b): values from the constructor") == 1
    run(tmp_path / "straight", make_model=Filled, epochs=4)
    run(tmp_path / "halves", make_model=Filled, epochs=2)
    caplog.clear()
    run(tmp_path / "halves", make_model=Filled, epochs=4)
    assert "from the constructor" not in caplog.text
    assert_same_bits(tmp_path / "straight/checkpoints/model-4", tmp_path / "halves/checkpoints/model-4")


def test_30_a_warm_start_comes_after_the_values(tmp_path) -> None:
    run(tmp_path / "before", epochs=1)
    before = variables(tmp_path / "before/checkpoints/model-1")
    warm = WarmStart(tmp_path / "before", variables=["w"])
    run(tmp_path / "after", make_model=Solved, make_optimizer=still, epochs=1, warm_start=warm)
    after = variables(tmp_path / "after/checkpoints/model-1")
    assert np.array_equal(after["w"], before["w"]) and after["b"].tolist() == [0.5]


@pytest.mark.parametrize("mode", ["xla", "measure"])
def test_30_in_every_mode(mode, tmp_path) -> None:
    state = run(tmp_path / "run", make_model=Solved, make_optimizer=still, epochs=1, compile=mode)
    assert state.metrics["loss"] == pytest.approx(0.0, abs=1e-10)


class Spoil(Callback):
    """Spoils a variable once, before the first checkpoint."""

    schedule = Schedule(every_n_steps=1)
    spoilt = False

    def on_build(self, build: Any) -> None:
        w = build.model.w
        self._spoil = w.assign(w * np.nan).op

    def on_step_end(self, context: Context) -> None:
        if not self.spoilt:
            self.spoilt = True
            context.session.run(self._spoil)


def test_30_a_rollback_to_the_start_gives_the_values_again(tmp_path) -> None:
    guard = NanGuard(action="rollback")
    callbacks = {"checkpoint": Checkpoint(every_n_epochs=1), "guard": guard, "spoil": Spoil()}
    state = run(tmp_path / "run", callbacks, make_model=Solved, make_optimizer=still, epochs=1, rate_can_be_scaled=True)
    assert [each["to"] for each in json.loads((tmp_path / "run/run.json").read_text())["rollbacks"]] == ["the start"]
    assert state.metrics["loss"] == pytest.approx(0.0, abs=1e-10)


def test_30_large_values_are_not_in_the_meta(tmp_path) -> None:
    data = InMemory(points(), batch_size=8)
    run(tmp_path / "run", make_model=Table, make_optimizer=still, epochs=1, data=data)
    prefix = str(tmp_path / "run/checkpoints/model-1")
    assert Path(prefix + ".meta").stat().st_size < 200_000
    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(prefix + ".meta")
        saver.restore(session, prefix)
        table, moved, other = (v for v in v1.global_variables() if v.shape == TABLE.shape)
        assert all(np.array_equal(session.run(v), value) for v, value in ((table, TABLE), (moved, 2 * TABLE)))
        assert np.array_equal(session.run(other), 3 * TABLE)
        session.run("train_step", {"x:0": np.ones([8, 2]), "y:0": np.ones([8, 1])})
        assert session.run("op:0", {"x:0": [[0.0, 0.0]]}).shape == (1, 1)
        assert not [op.name for op in session.graph.get_operations() if "constructor_values" in op.name]
        session.run(table.initializer)
        assert not session.run(table).any()
        # Without its large value, an initialiser says what it lacks.
        with pytest.raises(tf.errors.InvalidArgumentError, match="feed a value for placeholder tensor 'other_values'"):
            session.run(v1.global_variables_initializer())


class Remembering(Line):
    """Stateful RNN, whose batches have 8 rows."""

    def __init__(self) -> None:
        self.rnn = keras.layers.GRU(3, stateful=True, name="rnn")
        self.head = keras.layers.Dense(1, name="head")

    def __call__(self, inputs: Any, training: bool) -> Any:
        x = tf.ensure_shape(inputs["x"], [8, 2])
        return {"op": self.head(self.rnn(x[..., tf.newaxis], training=training))}


X = np.random.default_rng(3).normal(size=(8, 2)).astype(np.float32)


def without_state(prefix: Path) -> Any:
    """Returns the outputs of a Keras net with the weights of a checkpoint and no state."""
    values = variables(prefix)
    with tf.Graph().as_default(), v1.Session() as session:
        layer, head = keras.layers.GRU(3, name="rnn"), keras.layers.Dense(1, name="head")
        op = head(layer(tf.constant(X)[..., tf.newaxis]))
        session.run(v1.global_variables_initializer())
        for variable in v1.global_variables():
            variable.load(values[variable.op.name], session)
        return session.run(op)


def frozen(file: Path) -> Any:
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(v1.GraphDef.FromString(file.read_bytes()), name="")
        return [session.run("op:0", {"x:0": X}) for _ in range(2)]


def test_exports_start_each_call_from_the_initial_state(tmp_path, caplog) -> None:
    callbacks = {"checkpoint": Checkpoint(every_n_epochs=1), "f": Freeze(), "s": SavedModel()}
    run(tmp_path / "run", callbacks, make_model=Remembering, epochs=2)
    assert "inference changes variables (rnn/rnn_state)" in caplog.text
    prefix = tmp_path / "run/checkpoints/model-2"
    assert variables(prefix)["rnn/rnn_state"].any()
    keras.utils.clear_session()
    wanted = without_state(prefix)
    from_meta = freeze_checkpoint(prefix, tmp_path / "again.pb", example={"x": X})
    from_code = freeze_checkpoint(
        prefix, tmp_path / "code.pb", parts=lambda: (Remembering, InMemory(points(), batch_size=8))
    )
    found = [*frozen(tmp_path / "run/export/frozen/model.pb"), *frozen(from_meta), *frozen(from_code)]
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, ["serve"], str(tmp_path / "run/export/saved_model/2"))
        found += [session.run("op:0", {"x:0": X}) for _ in range(2)]
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(session, str(prefix))
        found += [session.run("op:0", {"x:0": X}) for _ in range(2)]
    assert all(np.allclose(each, wanted, atol=1e-5) for each in found)


@pytest.mark.parametrize("export", [Freeze, SavedModel])
def test_an_export_of_state_is_refused_where_that_is_chosen(export, tmp_path) -> None:
    with pytest.raises(RequestError, match="state='refuse': inference changes rnn/rnn_state") as refused:
        run(tmp_path / "run", {"e": export(state="refuse")}, make_model=Remembering)
    assert refused.value.argument == "callbacks.e.state" and not (tmp_path / "run").exists()
    run(tmp_path / "run", {"e": export(state="refuse")}, epochs=1)


def test_training_goes_on_from_the_state_and_resumes_with_it(tmp_path) -> None:
    run(tmp_path / "straight", make_model=Remembering, epochs=3)
    run(tmp_path / "halves", make_model=Remembering, epochs=1)
    run(tmp_path / "halves", make_model=Remembering, epochs=3)
    assert_same_bits(tmp_path / "straight/checkpoints/model-3", tmp_path / "halves/checkpoints/model-3")
