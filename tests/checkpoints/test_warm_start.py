"""Beginning with variables of a checkpoint: of another run, or of plain TensorFlow's Saver."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from tests.helpers import assert_same_bits, job, points, run, variables
from trainer.checkpoints.reader import Tensor
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.checkpoints.restoring.transfer_plan import Transfer, plan_transfer
from trainer.data.arrays import InMemory
from trainer.errors import CheckpointError, RequestError
from trainer.training.resume import Request, decide
from trainer.training.train import train
from trainer.warm_start import WarmStart

v1 = tf.compat.v1

F32 = Tensor("float32", (2, 1))
BODY_AND_HEAD = {"body/w": F32, "body/b": F32, "head/w": F32}
OLD = {"old/w": F32, "old/b": F32, "old/w/Adam": F32, "global_step": Tensor("int64", ())}


def plan(stored: dict[str, Tensor], declared: dict[str, Tensor], **wanted: Any) -> Transfer:
    return plan_transfer(WarmStart(Path("ckpt"), **wanted), Path("ckpt-1"), stored, declared)


@pytest.mark.parametrize(
    ("stored", "wanted", "loaded"),
    [
        (BODY_AND_HEAD, {}, {name: name for name in BODY_AND_HEAD}),
        ({**BODY_AND_HEAD, "more": F32}, {"exclude": ["head/*"]}, {"body/w": "body/w", "body/b": "body/b"}),
        (BODY_AND_HEAD, {"variables": ["body/w"]}, {"body/w": "body/w"}),
        (BODY_AND_HEAD, {"variables": ["*/w"]}, {"body/w": "body/w", "head/w": "head/w"}),
        ({"body/w": F32}, {"variables": ["body/*"]}, {"body/w": "body/w"}),
        (OLD, {"variables": {"old/w": "head/w"}}, {"head/w": "old/w"}),
        (OLD, {"variables": {"old/w:0": "body/w:0", "old/b": "body/b"}}, {"body/w": "old/w", "body/b": "old/b"}),
        (OLD, {"variables": {"old/*": "body/*"}}, {"body/w": "old/w", "body/b": "old/b"}),
        ({"w": F32, "b": F32}, {"variables": {"*": "body/*"}}, {"body/w": "w", "body/b": "b"}),
    ],
)
def test_what_is_taken(stored, wanted, loaded) -> None:
    transfer = plan(stored, BODY_AND_HEAD, **wanted)
    assert transfer.loaded == loaded
    assert set(transfer.initialised) == set(BODY_AND_HEAD) - set(loaded)
    assert set(transfer.left_out) == set(stored) - set(loaded.values())


@pytest.mark.parametrize(
    ("stored", "wanted", "message"),
    [
        (
            OLD,
            {},
            "has no variable of the model\n  the model has: body/b, body/w, head/w\n  the file has:  global_step",
        ),
        (BODY_AND_HEAD, {"variables": ["bodi/*"]}, "'bodi/*' matches no variable; did you mean body/*?"),
        (BODY_AND_HEAD, {"variables": ["body/ww"]}, "did you mean body/w"),
        (
            BODY_AND_HEAD,
            {"exclude": ["haed/*"]},
            "exclude: 'haed/*' matches no variable; did you mean head/*",
        ),
        ({"body/w": F32}, {"variables": ["body/w", "body/b"]}, "body/b: not in the file; did you mean body/w?"),
        (OLD, {"variables": {"old/ww": "body/w"}}, "'old/ww' matches no name in the file; did you mean old/w"),
        (OLD, {"variables": {"old/w": "old/w"}}, "'old/w' matches no variable; did you mean"),
        (OLD, {"variables": {"old/*": "body/*/*"}}, "must have one * each"),
        (OLD, {"variables": {"global*": "body/*"}}, "nothing fits 'body/*'"),
        (
            {**BODY_AND_HEAD, "head/w": Tensor("float32", (5, 1)), "body/b": Tensor("float64", (2, 1))},
            {},
            "body/b: graph float32 [2, 1], file float64 [2, 1]\n  head/w: graph float32 [2, 1], file float32 [5, 1]\n"
            "leave out what is to be new with warm_start.exclude=[body/*]",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_all_differences(stored, wanted, message) -> None:
    with pytest.raises(RequestError) as refused:
        plan(stored, dict(sorted(BODY_AND_HEAD.items())), **wanted)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [({"variables": "body/*"}, r"must be a list of names, such as \[body/\*\]"), ({"variables": {"w": 1}}, "holds 1")],
)
def test_a_wrong_kind_is_refused(wanted, message) -> None:
    with pytest.raises(TypeError, match=message):
        WarmStart(Path("ckpt"), **wanted)


class Two:
    """A body of a Keras layer with averages, and a head."""

    head = 1

    def __init__(self) -> None:
        self.body = keras.Sequential([keras.layers.Dense(4), keras.layers.BatchNormalization()], name="body")
        self.top = keras.layers.Dense(self.head, name="head")

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.top(self.body(inputs["x"], training=training))}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))


class Wider(Two):
    head = 3


@pytest.fixture(scope="module")
def earlier(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("earlier") / "run"
    run(directory, make_model=Two, epochs=2)
    return directory


def facts(directory: Path) -> Any:
    return json.loads((directory / "run.json").read_text())


def test_a_warm_start_trains_on_with_fresh_slots_and_never_again(earlier, tmp_path, caplog) -> None:
    caplog.set_level("INFO")
    changes: dict[str, Any] = {"make_model": Wider, "trainable": ["head/*"]}
    run(tmp_path / "a", warm_start=WarmStart(earlier, exclude=["head/*"]), epochs=2, **changes)
    before, after = variables(earlier / "checkpoints/model-2"), variables(tmp_path / "a/checkpoints/model-2")
    body = [name for name in before if name.startswith("body/")]
    assert len(body) == 6
    # What is frozen is the same to the last bit, the averages of the normalisation too.
    assert all(np.array_equal(before[name], after[name]) for name in body)
    assert after["head/kernel"].shape == (4, 3)
    assert after["global_step"] == 10
    slots = [name for name in after if "momentum" in name or "velocity" in name]
    assert len(slots) == 4
    assert all("head" in name for name in slots)
    told = facts(tmp_path / "a")["warm_start"]
    assert told["checkpoint"] == str(earlier / "checkpoints/model-2")
    assert set(told["loaded"]) == set(body)
    assert told["initialised"] == ["head/bias", "head/kernel"]
    assert "6 variables loaded, 2 initialised (head/bias, head/kernel)" in caplog.text
    assert caplog.text.count("warm start: ") == 1
    # The file may be gone by then: a resume restores everything from the run's own checkpoints.
    run(tmp_path / "a", warm_start=WarmStart(tmp_path / "gone"), epochs=4, **changes)
    run(tmp_path / "b", warm_start=WarmStart(earlier, exclude=["head/*"]), epochs=4, **changes)
    assert_same_bits(tmp_path / "a/checkpoints/model-4", tmp_path / "b/checkpoints/model-4")
    assert facts(tmp_path / "a")["warm_start"] == told
    assert caplog.text.count("warm start: ") == 2


def test_it_begins_where_the_checkpoint_is(earlier, tmp_path) -> None:
    """With a rate of nothing the loss of the first step is that of the loaded variables."""
    still: dict[str, Any] = {"make_optimizer": lambda *_: keras.optimizers.SGD(0.0), "trainable": ["head/*"]}
    run(tmp_path / "run", make_model=Two, warm_start=WarmStart(earlier), epochs=1, **still)
    before, after = variables(earlier / "checkpoints/model-2"), variables(tmp_path / "run/checkpoints/model-1")
    assert all(np.array_equal(before[n], after[n]) for n in before if n.startswith(("body/", "head/")))


def test_the_graph_is_that_of_a_run_that_began_cold(earlier, tmp_path) -> None:
    def nodes(directory: Path) -> list[tuple[str, str]]:
        meta = v1.MetaGraphDef.FromString((directory / "checkpoints/model.meta").read_bytes())
        return [(node.name, node.op) for node in meta.graph_def.node]

    run(tmp_path / "run", make_model=Two, warm_start=WarmStart(earlier), epochs=1)
    assert nodes(tmp_path / "run") == nodes(earlier)


@pytest.mark.parametrize("trainable", [["haed/*"], []])
def test_a_choice_of_nothing_to_train_is_refused(tmp_path, trainable) -> None:
    message = "'haed/\\*' matches no variable; did you mean head/\\*" if trainable else "trainable is empty"
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", make_model=Two, trainable=trainable)
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_that_does_not_fit_leaves_nothing(earlier, tmp_path) -> None:
    with pytest.raises(RequestError, match=r"head/kernel: graph float32 \[4, 3\], file float32 \[4, 1\]"):
        run(tmp_path / "run", make_model=Wider, warm_start=WarmStart(earlier))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_refused_before_anything_is_made(earlier, tmp_path) -> None:
    shutil.copytree(earlier / "checkpoints", tmp_path / "copy")
    data = tmp_path / "copy/model-2.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[content.index(variables(earlier / "checkpoints/model-2")["head/kernel"].tobytes())] ^= 1
    data.write_bytes(content)
    assert resolve_checkpoint(tmp_path / "copy").name == "model-1"
    with pytest.raises(CheckpointError, match="differs from what was written"):
        run(tmp_path / "run", make_model=Two, warm_start=WarmStart(tmp_path / "copy/model-2"))
    (tmp_path / "copy/model-2.json").unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        run(tmp_path / "run", make_model=Two, warm_start=WarmStart(tmp_path / "copy/model-2"))
    assert not (tmp_path / "run").exists()


def test_a_part_of_the_variables_serves_a_warm_start(tmp_path) -> None:
    run(tmp_path / "part", {"c": Checkpoint(var_list=["w"])}, epochs=1)
    run(tmp_path / "run", warm_start=WarmStart(tmp_path / "part"), epochs=1)
    assert facts(tmp_path / "run")["warm_start"]["initialised"] == ["b"]


def test_the_places_that_a_checkpoint_is_found_at(earlier, tmp_path) -> None:
    prefix = earlier / "checkpoints/model-2"
    for place in (earlier, earlier.parent, earlier / "checkpoints", prefix):
        assert resolve_checkpoint(place) == prefix
    assert resolve_checkpoint(earlier / "checkpoints/model-1").name == "model-1"
    assert resolve_checkpoint(Path(f"{earlier}@1")).name == "model-1"
    with pytest.raises(RequestError, match="did you mean model-2"):
        resolve_checkpoint(earlier / "checkpoints/model-22")
    with pytest.raises(RequestError, match="holds no checkpoint"):
        resolve_checkpoint(tmp_path)


def line_by_hand(directory: Path, optimizer: Any, steps: int, step_dtype: Any = tf.int64, **saver: Any) -> Any:
    """A graph-mode program without any of ours: reference variables, optimizer, Saver, absolute paths.

    Returns the variables after twice as many steps, by name.
    """
    data = points()
    with tf.Graph().as_default(), v1.Session() as session:
        x, y = tf.constant(data.inputs["x"]), tf.constant(data.labels["y"])
        w = v1.get_variable("w", [2, 1], initializer=v1.zeros_initializer(), use_resource=False)
        b = v1.get_variable("b", [1], initializer=v1.zeros_initializer(), use_resource=False)
        step = v1.get_variable(
            "global_step", [], step_dtype, v1.zeros_initializer(), trainable=False, use_resource=False
        )
        loss = tf.reduce_mean(tf.square(tf.matmul(x, w) + b - y))
        update = optimizer().minimize(loss, step)
        session.run(v1.global_variables_initializer())
        for _ in range(steps):
            session.run(update)
        directory.mkdir()
        v1.train.Saver(**saver).save(session, str(directory / "model.ckpt"), step)
        for _ in range(steps):
            session.run(update)
        return {name: session.run(f"{name}:0") for name in ("w", "b")}


OPTIMIZERS = {
    "adam": lambda *_: v1.train.AdamOptimizer(0.05),
    "momentum": lambda *_: v1.train.MomentumOptimizer(0.05, 0.9),
    "rmsprop": lambda *_: v1.train.RMSPropOptimizer(0.05, momentum=0.9),
}


def whole_batches(directory: Path, make_optimizer: Any, **changes: Any) -> None:
    """Trains on all points in each step, so that their order plays no part."""
    data = InMemory(points(), batch_size=40, shuffle=False)
    run(directory, data=data, make_optimizer=make_optimizer, **changes)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_a_bare_saver_left_goes_on_as_if_nothing_had_happened(name, tmp_path, caplog) -> None:
    caplog.set_level("INFO")
    by_hand = line_by_hand(tmp_path / "then", OPTIMIZERS[name], steps=7)
    # The absolute paths in its state file lead nowhere any more.
    (tmp_path / "then").rename(tmp_path / "now")
    assert str(tmp_path / "then") in (tmp_path / "now/checkpoint").read_text()
    whole_batches(tmp_path / "run", OPTIMIZERS[name], epochs=14, resume=str(tmp_path / "now"))
    ours = variables(tmp_path / "run/checkpoints/model-14")
    assert ours["global_step"] == 14
    for variable, value in by_hand.items():
        np.testing.assert_allclose(ours[variable], value, rtol=1e-5)
    told = facts(tmp_path / "run")["resumed_from"]
    assert told["checkpoint"] == str(tmp_path / "now/model.ckpt-7")
    assert {"w", "b", "global_step"} < set(told["loaded"])
    assert told["initialised"] == told["left_out"] == []
    assert "resumed from" in caplog.text


@pytest.mark.parametrize(
    ("saver", "step_dtype"),
    [({"write_version": v1.train.SaverDef.V1}, tf.int64), ({}, tf.int32)],
    ids=["one file, as before TensorFlow 0.12", "steps counted in int32"],
)
def test_what_old_programs_left_goes_on_too(saver, step_dtype, tmp_path) -> None:
    by_hand = line_by_hand(tmp_path / "then", OPTIMIZERS["adam"], 7, step_dtype, **saver)
    whole_batches(tmp_path / "run", OPTIMIZERS["adam"], epochs=14, resume=str(tmp_path / "then/model.ckpt-7"))
    ours = variables(tmp_path / "run/checkpoints/model-14")
    np.testing.assert_allclose(ours["w"], by_hand["w"], rtol=1e-5)
    assert ours["global_step"] == 14
    assert ours["global_step"].dtype == np.int64


def test_another_optimizer_is_refused_with_what_matched_and_begins_warm(tmp_path) -> None:
    line_by_hand(tmp_path / "then", OPTIMIZERS["momentum"], 7)
    with pytest.raises(RequestError) as refused:
        whole_batches(tmp_path / "run", OPTIMIZERS["adam"], resume=str(tmp_path / "then"))
    message = str(refused.value)
    assert "(3 of 9 variables match); nothing was restored" in message
    assert "b/Adam: graph float32 [1], not in the file" in message
    assert f"warm_start.path={tmp_path / 'then/model.ckpt-7'} takes what matches" in message
    assert len(message.splitlines()) < 10
    assert not (tmp_path / "run").exists()
    whole_batches(tmp_path / "run", OPTIMIZERS["adam"], epochs=1, warm_start=WarmStart(tmp_path / "then"))
    told = facts(tmp_path / "run")["warm_start"]
    assert told["loaded"] == {"b": "b", "w": "w"}
    assert told["left_out"] == ["b/Momentum", "global_step", "w/Momentum"]
    assert variables(tmp_path / "run/checkpoints/model-1")["global_step"] == 1


def test_a_run_directory_of_ones_own_goes_with_files_of_others(tmp_path) -> None:
    line_by_hand(tmp_path / "then", OPTIMIZERS["adam"], 7)
    started = job(tmp_path / "mine", resume=str(tmp_path / "then"), make_optimizer=OPTIMIZERS["adam"], epochs=2)
    assert train(started).global_step == 10


def test_a_copy_of_checkpoints_goes_on_in_a_run_of_its_own(tmp_path) -> None:
    run(tmp_path / "then", epochs=1)
    shutil.copytree(tmp_path / "then/checkpoints", tmp_path / "copies/kept")
    assert run(tmp_path / "now", resume=str(tmp_path / "copies/kept"), epochs=2).epoch == 2
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["kept"]
    # Inside its run it is that run which goes on.
    start = decide(Request(str(tmp_path / "then/checkpoints"), tmp_path, "test", None, "model", datetime(2026, 11, 24)))
    assert start.run.path == tmp_path / "then"


def test_a_pipeline_begins_at_its_beginning_where_the_file_knows_of_none(tmp_path) -> None:
    from trainer.data.streamed import Streamed

    line_by_hand(tmp_path / "then", OPTIMIZERS["adam"], 7)
    data = points()

    def dataset() -> Any:
        return tf.data.Dataset.from_tensor_slices((dict(data.inputs), dict(data.labels)))

    changes = {"data": Streamed(dataset, 40, shuffle_buffer=0), "make_optimizer": OPTIMIZERS["adam"]}
    ended = run(tmp_path / "run", epochs=9, resume=str(tmp_path / "then"), **changes)
    assert ended.global_step == 9
