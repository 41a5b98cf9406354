"""The checkpoint callback, read back with plain TensorFlow."""

from __future__ import annotations

import json
import logging

import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from tests.helpers import Line, points, run, variables
from trainer.callback import Callback, Context
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.data.arrays import InMemory
from trainer.data.streamed import Streamed
from trainer.errors import CheckpointError, RequestError
from trainer.schedule import Schedule

v1 = tf.compat.v1


def names(directory) -> list[str]:
    state = tf.train.get_checkpoint_state(str(directory / "checkpoints"))
    listed = [path.split("/")[-1] for path in state.all_model_checkpoint_paths]
    on_disk = {path.stem for path in (directory / "checkpoints").glob("*.index")}
    assert set(listed) == on_disk
    assert state.model_checkpoint_path.endswith(listed[-1])
    return listed


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"every_n_epochs": 1, "max_to_keep": 3}, ["model-4", "model-5", "model-6"]),
        ({"every_n_epochs": 4, "max_to_keep": 3}, ["model-4", "model-6"]),
        ({"every_n_epochs": None}, ["model-6"]),
        ({"every_n_epochs": None, "every_n_steps": 12}, ["model-12", "model-24", "model-30"]),
        ({"every_n_epochs": 3, "every_n_steps": 20}, ["model-15", "model-20", "model-30"]),
        ({"every_n_epochs": 1, "max_to_keep": 0}, [f"model-{i}" for i in range(1, 7)]),
        ({"every_n_epochs": 1, "max_to_keep": None}, [f"model-{i}" for i in range(1, 7)]),
        ({"every_n_epochs": 3, "prefix": "my.ckpt"}, ["my.ckpt-3", "my.ckpt-6"]),
    ],
)
def test_when_it_saves_and_what_it_keeps(tmp_path, arguments, expected) -> None:
    run(tmp_path / "run", {"checkpoint": Checkpoint(**arguments)}, epochs=6)
    assert names(tmp_path / "run") == expected
    for name in expected:
        prefix = str(tmp_path / "run" / "checkpoints" / name)
        with tf.Graph().as_default(), v1.Session() as session:
            v1.train.import_meta_graph(prefix + ".meta").restore(session, prefix)
            assert session.run("op:0", {"x:0": [[1.0, 2.0]]}).shape == (1, 1)


def test_seconds(tmp_path) -> None:
    """Due by the clock after each call; the steps are those of the calls, the last is always saved."""
    run(tmp_path / "run", {"c": Checkpoint(every_n_epochs=None, every_n_secs=1e-6, max_to_keep=0)}, steps_per_call=4)
    assert names(tmp_path / "run") == ["model-4", "model-8", "model-12", "model-15"]


def test_the_limit_holds_across_restarts_and_when_it_is_lowered(tmp_path) -> None:
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    others = tmp_path / "run" / "checkpoints" / "model-of-another.index"
    others.write_text("not ours")
    (tmp_path / "run" / "run.json").write_text("{}")
    for epochs in (2, 4, 6, 8):
        run(tmp_path / "run", {"c": Checkpoint(every_n_epochs=1, max_to_keep=3)}, epochs=epochs)
    others.rename(tmp_path / "others")
    assert names(tmp_path / "run") == ["model-6", "model-7", "model-8"]
    (tmp_path / "others").rename(others)
    run(tmp_path / "run", {"c": Checkpoint(every_n_epochs=5, max_to_keep=2)}, epochs=9)
    assert others.read_text() == "not ours"
    others.unlink()
    assert names(tmp_path / "run") == ["model-8", "model-9"]


class Hours:
    """A clock that says so many hours more each time it is read."""

    def __init__(self, hours: float) -> None:
        self.now, self.hours = 0.0, hours

    def __call__(self) -> float:
        self.now += self.hours * 3600
        return self.now


def test_one_for_each_n_hours_of_training_stays_across_restarts(tmp_path) -> None:
    """Each save reads the clock once, so the epoch is the number of hours; the first reading is the begin."""
    for epochs in (3, 7):
        callback = Checkpoint(every_n_epochs=1, max_to_keep=1, keep_checkpoint_every_n_hours=2, clock=Hours(1))
        run(tmp_path / "run", {"c": callback}, epochs=epochs)
    assert names(tmp_path / "run") == ["model-2", "model-4", "model-6", "model-7"]


def test_the_best_stay(tmp_path) -> None:
    losses = iter([5.0, 1.0, 4.0, 3.0, 2.0])

    class Report(Callback):
        schedule = Schedule(every_n_epochs=1)

        def on_step_end(self, context: Context) -> None:
            context.report({"loss": next(losses)})

    callbacks = {"c": Checkpoint(every_n_epochs=1, max_to_keep=1, keep_best=2), "report": Report()}
    run(tmp_path / "run", callbacks, epochs=4)
    assert names(tmp_path / "run") == ["model-2", "model-4"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["best_checkpoint"] == "checkpoints/model-2"


def test_the_graph_is_written_once_and_linked(tmp_path) -> None:
    run(tmp_path / "run", {"c": Checkpoint(every_n_epochs=1)}, epochs=3)
    checkpoints = tmp_path / "run" / "checkpoints"
    inodes = {(checkpoints / name).stat().st_ino for name in ("model.meta", "model-1.meta", "model-3.meta")}
    assert len(inodes) == 1


def test_the_graph_for_every_checkpoint_or_for_none(tmp_path) -> None:
    run(tmp_path / "a", {"c": Checkpoint(every_n_epochs=1, write_meta_graph="every")}, epochs=2)
    assert (tmp_path / "a/checkpoints/model-2.meta").exists()
    run(tmp_path / "b", {"c": Checkpoint(every_n_epochs=1, write_meta_graph="never")}, epochs=2)
    assert not list((tmp_path / "b/checkpoints").glob("*.meta"))
    assert run(tmp_path / "b", {"c": Checkpoint(write_meta_graph="never")}, epochs=3).epoch == 3


@pytest.mark.parametrize(
    ("var_list", "expected"),
    [
        (["w", "b"], {"w", "b", "global_step"}),
        (["?"], {"w", "b", "global_step"}),
        (["w:0"], {"w", "global_step"}),
        ({"old/weights": "w"}, {"old/weights", "global_step"}),
        ({"step": "global_step"}, {"step"}),
    ],
)
def test_a_choice_of_variables(tmp_path, caplog, var_list, expected) -> None:
    with caplog.at_level(logging.WARNING):
        run(tmp_path / "run", {"c": Checkpoint(var_list=var_list)}, epochs=1)
    assert set(variables(tmp_path / "run/checkpoints/model-1")) == expected
    assert "serve a warm start" in caplog.text
    with pytest.raises(CheckpointError, match="only a part of the variables"):
        run(tmp_path / "run", epochs=2)


def test_a_choice_of_all_variables_can_be_resumed(tmp_path) -> None:
    run(tmp_path / "run", {"c": Checkpoint(var_list=["*"])}, epochs=1)
    assert run(tmp_path / "run", epochs=2).epoch == 2


def test_a_variable_that_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"'global_stp' matches no variable; did you mean global_step\?"):
        run(tmp_path / "run", {"c": Checkpoint(var_list=["global_stp"])})
    assert not (tmp_path / "run").exists()


def test_a_data_set_is_no_part_of_a_checkpoint_or_its_graph(tmp_path) -> None:
    sizes = []
    for examples in (40, 40_000):
        run(tmp_path / str(examples), epochs=1, steps_per_epoch=5, data=InMemory(points(examples), 8), make_model=Line)
        files = (tmp_path / str(examples) / "checkpoints").glob("model-1.[!j]*")
        sizes.append(sum(path.stat().st_size for path in files))
    assert abs(sizes[0] - sizes[1]) < 1000


def test_a_choice_of_everything_takes_the_pipeline_too(tmp_path, caplog) -> None:
    def dataset() -> tf.data.Dataset:
        arrays = points()
        return tf.data.Dataset.from_tensor_slices((dict(arrays.inputs), dict(arrays.labels)))

    run(tmp_path / "run", {"c": Checkpoint(var_list=["*"])}, data=Streamed(dataset, 8))
    assert "serve a warm start" not in caplog.text
    assert resolve_checkpoint(tmp_path / "run").record.complete
