"""Everything that a Saver can store: saved both ways, restored by plain TensorFlow, resumed, exported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests import saved_kinds
from tests.helpers import job, points, run, variables
from tests.processes import python
from trainer.callback import Callback, Phase
from trainer.checkpoints.analysis.average import average
from trainer.checkpoints.analysis.compare import compare
from trainer.checkpoints.analysis.inspect import problems_of
from trainer.checkpoints.contents import whole_tensors
from trainer.checkpoints.meta_reader import read_meta
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.checkpoints.saver_in_meta import restored_tensors
from trainer.data.streamed import Streamed
from trainer.errors import RequestError, TrainerError
from trainer.export.from_checkpoint import freeze_checkpoint
from trainer.predict.backends.dispatch import open_predictor
from trainer.schedule import Schedule
from trainer.training.train import train_job
from trainer.warm_start import WarmStart

v1 = tf.compat.v1

X = np.asarray(points().inputs["x"])


def adam(*_: Any) -> Any:
    return v1.train.AdamOptimizer(0.05)


def momentum(*_: Any) -> Any:
    return v1.train.MomentumOptimizer(0.05, 0.9)


def keras_adam(*_: Any) -> Any:
    return keras.optimizers.Adam(0.05)


KINDS: dict[str, Callable[[], dict[str, Any]]] = {
    "parts": lambda: {"make_model": saved_kinds.Sliced, "make_optimizer": adam},
    "parts by bytes": lambda: {"make_model": saved_kinds.SlicedByBytes, "make_optimizer": momentum},
    "parts by number": lambda: {"make_model": saved_kinds.SlicedByNumber, "make_optimizer": keras_adam},
    "parts of columns": lambda: {"make_model": saved_kinds.SlicedColumns, "make_optimizer": keras_adam},
    "dtypes": lambda: {"make_model": saved_kinds.Dtypes},
    "tables": lambda: {"make_model": saved_kinds.Tables},
    "saveable of one's own": lambda: {"make_model": saved_kinds.Own},
    "averages of a callback": lambda: {"make_model": saved_kinds.Sliced, "more": {"a": saved_kinds.Average()}},
    "optimizer of a callback": lambda: {"more": {"a": saved_kinds.Second()}},
    "tables of the data": lambda: {"data": Streamed(saved_kinds.with_tables, batch_size=8)},
    "variables of the data": lambda: {"data": Streamed(saved_kinds.with_variable, batch_size=8)},
}


def of_kind(kind: str, directory: Path, epochs: int, exports: Any = None, **saver: Any) -> None:
    """Trains a kind of ``KINDS`` up to an epoch, in a directory in which it may have begun."""
    parts = KINDS[kind]()
    callbacks = {**parts.pop("more", {}), "c": Checkpoint(every_n_epochs=1, **saver), **(exports or {})}
    run(directory, callbacks, epochs=epochs, **parts)


def content(prefix: Path) -> dict[str, Any]:
    """Returns the values of a checkpoint as lists; the keys of a table have no order."""
    values = {name: value.tolist() for name, value in variables(prefix).items()}
    for name in [name for name in values if name.endswith("-keys")]:
        values[name] = sorted(zip(values[name], values.pop(f"{name[:-5]}-values"), strict=True))
    return values


@pytest.fixture(scope="module")
def trained(tmp_path_factory: Any) -> Callable[[str], Path]:
    """Runs of three epochs by kind, saved in the background and in the foreground."""
    made: dict[str, Path] = {}

    def path(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("kind")
            of_kind(kind, made[kind] / "background", 3)
            of_kind(kind, made[kind] / "foreground", 3, background=False)
        return made[kind]

    return path


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_write_what_the_saver_in_the_meta_wants(kind, trained) -> None:
    ways = [trained(kind) / way / "checkpoints/model-2" for way in ("background", "foreground")]
    readers = [tf.train.load_checkpoint(str(prefix)) for prefix in ways]
    shapes = [reader.get_variable_to_shape_map() for reader in readers]
    assert shapes[0].keys() == shapes[1].keys()
    assert content(ways[0]) == content(ways[1])
    if "data" not in kind:
        # Where a pipeline stands depends on how far it has read ahead.
        assert ways[0].with_suffix(".index").read_bytes() == ways[1].with_suffix(".index").read_bytes()
    wanted = whole_tensors(each.entry for each in restored_tensors(read_meta(ways[0].with_suffix(".meta"))))
    assert wanted.keys() == shapes[0].keys()
    assert [problems_of(resolve_checkpoint(prefix)) for prefix in ways] == [[], []]


RESTORE = """
import json, sys
import tensorflow as tf
v1, found = tf.compat.v1, {}
for prefix in sys.argv[1:]:
    with tf.Graph().as_default(), v1.Session() as session:
        v1.train.import_meta_graph(prefix + ".meta").restore(session, prefix)
        values = session.run({v.op.name: v for v in v1.global_variables()})
        found[prefix] = {name: str(value.tolist()) for name, value in values.items()}
print(json.dumps(found))
"""


def test_plain_tensorflow_restores_every_kind_in_a_new_process(trained, tmp_path) -> None:
    prefixes = [str(trained(kind) / "background/checkpoints/model-3") for kind in KINDS]
    found = json.loads(python("-c", RESTORE, *prefixes, cwd=tmp_path, ours=False).stdout.splitlines()[-1])
    for prefix in prefixes:
        stored = {name: str(value.tolist()) for name, value in variables(Path(prefix)).items()}
        whole = {name: value for name, value in found[prefix].items() if "/part_" not in name and "halves" not in name}
        assert whole == {name: stored[name] for name in whole}
    parts = found[prefixes[0]]
    halves = [parts[f"scope/table/part_{number}"] for number in range(3)]
    assert "[" + ", ".join(half[1:-1] for half in halves) + "]" == str(
        variables(Path(prefixes[0]))["scope/table"].tolist()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_resume_goes_on_bit_for_bit(kind, trained, tmp_path) -> None:
    of_kind(kind, tmp_path / "run", 2)
    of_kind(kind, tmp_path / "run", 3, {"f": Freeze(), "s": SavedModel()})
    assert content(tmp_path / "run/checkpoints/model-3") == content(trained(kind) / "background/checkpoints/model-3")
    with (
        open_predictor(tmp_path / "run/export/frozen/model.pb") as frozen,
        open_predictor(tmp_path / "run/export/saved_model/3") as saved_model,
    ):
        np.testing.assert_allclose(frozen(x=X)["op"], saved_model(x=X)["op"], rtol=1e-5)


def test_tools_read_a_variable_in_parts_as_a_whole(trained, tmp_path) -> None:
    directory = trained("parts") / "background"
    with open_predictor(directory) as live, open_predictor(freeze_checkpoint(directory, tmp_path / "a.pb")) as frozen:
        np.testing.assert_allclose(live(x=X)["op"], frozen(x=X)["op"], rtol=1e-5)
    source = job(tmp_path / "code").data
    made = freeze_checkpoint(directory, tmp_path / "code.pb", parts=lambda: (saved_kinds.Sliced, source))
    assert made.read_bytes()
    mean = average([resolve_checkpoint(f"{directory}@{number}") for number in (2, 3)], tmp_path / "mean/model")
    assert problems_of(mean) == []
    (change,) = [each for each in compare(f"{directory}@3", mean.prefix).differences if each.name == "scope/table"]
    assert str(change.a) == "float32 [10, 3]"
    with open_predictor(mean.prefix) as averaged:
        assert averaged(x=X)["op"].shape == (40, 1)


def test_a_warm_start_and_the_best_checkpoint_take_a_variable_in_parts_as_a_whole(trained, tmp_path) -> None:
    table = variables(trained("parts") / "background/checkpoints/model-3")["scope/table"]
    run(
        tmp_path / "run",
        {"c": Checkpoint(keep_best=1), "f": Freeze(which="best")},
        make_model=saved_kinds.SlicedByBytes,
        make_optimizer=lambda *_: keras.optimizers.SGD(1e-12),
        warm_start=WarmStart(trained("parts") / "background"),
        epochs=1,
    )
    np.testing.assert_allclose(variables(tmp_path / "run/checkpoints/model-1")["scope/table"], table, rtol=1e-5)
    with (
        open_predictor(tmp_path / "run/export/frozen/model.pb") as frozen,
        open_predictor(trained("parts") / "background") as trained_before,
    ):
        np.testing.assert_allclose(frozen(x=X)["op"], trained_before(x=X)["op"], rtol=1e-4)


def test_parts_may_be_cut_otherwise_at_a_resume(tmp_path) -> None:
    run(tmp_path / "run", make_model=saved_kinds.Sliced, make_optimizer=momentum, epochs=1)
    run(tmp_path / "run", make_model=saved_kinds.SlicedByNumber, make_optimizer=momentum, epochs=2)
    run(tmp_path / "straight", make_model=saved_kinds.Sliced, make_optimizer=momentum, epochs=2)
    assert content(tmp_path / "run/checkpoints/model-2") == content(tmp_path / "straight/checkpoints/model-2")


@pytest.mark.parametrize(
    ("var_list", "stored", "is_whole"),
    [
        (["scope/table"], ["scope/table"], False),
        (["scope/table/part_1"], ["scope/table"], False),
        (["scope/*"], ["scope/table", "scope/table/Momentum"], False),
        ({"rows": "scope/table", "my w:0": "w:0"}, ["rows", "my w:0"], False),
        (["*"], ["scope/table", "scope/table/Momentum", "w", "w/Momentum"], True),
    ],
    ids=str,
)
def test_a_list_of_variables_names_wholes_and_parts(var_list, stored, is_whole, tmp_path) -> None:
    for background in (True, False):
        saver = Checkpoint(every_n_epochs=1, var_list=var_list, background=background)
        run(tmp_path / str(background), {"c": saver}, make_model=saved_kinds.Sliced, make_optimizer=momentum, epochs=2)
        checkpoint = resolve_checkpoint(f"{tmp_path / str(background)}@1")
        assert set(variables(checkpoint.prefix)) == {*stored, "global_step"}
        assert problems_of(checkpoint) == []
        assert checkpoint.record.complete == is_whole
    assert content(checkpoint.prefix) == content(tmp_path / "True/checkpoints/model-1")


class Late(Callback):
    """Callback that makes a variable, or a table, when the Savers are made."""

    phase = Phase.EXPORT

    def on_build(self, build: Any) -> None:
        v1.get_variable("late/count", [], trainable=False)


class TwoTables(Callback):
    """Callback with two tables under the name that TensorFlow gives to both."""

    def on_build(self, build: Any) -> None:
        for _ in range(2):
            tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, 0)


class Generator(Callback):
    """Callback with an iterator over a Python generator, whose position nothing can store."""

    def on_build(self, build: Any) -> None:
        numbers = tf.data.Dataset.from_generator(lambda: range(5), tf.int64)
        iterator = v1.data.make_initializable_iterator(numbers)
        v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, iterator.initializer)
        saveable = tf.data.experimental.make_saveable_from_iterator(iterator)
        v1.add_to_collection(v1.GraphKeys.SAVEABLE_OBJECTS, saveable)


@pytest.mark.parametrize(
    ("callback", "error", "message"),
    [
        (Late(), RequestError, "callbacks.a adds late/count after a callback that saves"),
        (TwoTables(), RequestError, "two saved objects have the name 'MutableHashTable'"),
        (Generator(), TrainerError, "IteratorV2:0_STATE cannot be saved"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_cannot_be_saved_is_refused_before_the_first_step(callback, error, message, tmp_path) -> None:
    with pytest.raises(error, match=message):
        run(tmp_path / "run", {"a": callback, "c": Checkpoint()})
    assert not list(tmp_path.rglob("*.index"))
    assert error is TrainerError or not (tmp_path / "run").exists()


class Counter(Callback):
    """Callback that counts epochs in a variable, and takes the run's Saver before others add to the graph."""

    schedule = Schedule(every_n_epochs=1)

    def __init__(self, name: str) -> None:
        self.name = name

    def on_build(self, build: Any) -> None:
        self.saver = build.saver
        count = v1.get_variable(self.name, [], initializer=v1.zeros_initializer(), trainable=False)
        self.add = count.assign_add(1.0).op

    def on_step_end(self, context: Any) -> None:
        context.session.run(self.add)


def test_the_last_save_of_a_short_run_holds_the_variables_of_all_callbacks(tmp_path) -> None:
    for epochs in (2, 4):
        callbacks = {"a": Counter("count/a"), "c": Checkpoint(every_n_epochs=10), "b": Counter("count/b")}
        run(tmp_path / "run", callbacks, epochs=epochs)
        stored = variables(tmp_path / f"run/checkpoints/model-{epochs}")
        assert (stored["count/a"], stored["count/b"]) == (epochs, epochs)


def test_a_resume_with_other_variables_of_callbacks_is_refused_by_their_names(tmp_path) -> None:
    run(tmp_path / "run", {"a": Counter("count/a"), "c": Checkpoint()}, epochs=1)
    with pytest.raises(RequestError) as refused:
        run(tmp_path / "run", {"b": Counter("count/b"), "c": Checkpoint()}, epochs=2)
    for line in ("count/b: graph float32 [], not in the file", "count/a: not in the graph, file float32 []"):
        assert line in str(refused.value)


def test_a_checkpoint_of_a_plain_saver_starts_a_run_with_its_tables(tmp_path, trained) -> None:
    """All that the Saver restores comes from files without a commit record too."""
    source = trained("tables") / "background/checkpoints"
    (tmp_path / "plain").mkdir()
    for suffix in (".index", ".data-00000-of-00001", ".meta"):
        (tmp_path / f"plain/model-10{suffix}").write_bytes((source / f"model-2{suffix}").read_bytes())
    again = job(tmp_path / "run", resume=str(tmp_path / "plain/model-10"), make_model=saved_kinds.Tables)
    train_job(again)
    assert content(again.start.run.checkpoints / "model-3") == content(source / "model-3")
