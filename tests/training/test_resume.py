"""Where a run goes on: in its directory, from files of a plain Saver, from a copy."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from tests.helpers import assert_same_bits, job, points, run, variables
from trainer.callback import Callback
from trainer.checkpoints.record import read_record
from trainer.checkpoints.store import CheckpointStore
from trainer.data.arrays import InMemory
from trainer.data.streamed import Streamed
from trainer.errors import CheckpointError, RequestError
from trainer.training.resume import Request, Start, check_writable, decide
from trainer.training.train import train_job
from trainer.warm_start import WarmStart

v1 = tf.compat.v1


def facts(directory: Path) -> Any:
    return json.loads((directory / "run.json").read_text())


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
    assert f"warm_start.path='{tmp_path / 'then/model.ckpt-7'}' loads the variables that match" in message
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
    assert train_job(started).global_step == 10


def test_a_copy_of_checkpoints_goes_on_in_a_run_of_its_own(tmp_path) -> None:
    run(tmp_path / "then", epochs=1)
    shutil.copytree(tmp_path / "then/checkpoints", tmp_path / "copies/kept")
    assert run(tmp_path / "now", resume=str(tmp_path / "copies/kept"), epochs=2).epoch == 2
    assert [path.name for path in (tmp_path / "copies").iterdir()] == ["kept"]
    # Inside its run it is that run which goes on.
    start = decide(
        Request(str(tmp_path / "then/checkpoints"), tmp_path, "test", None, ("model",), datetime(2026, 11, 24))
    )
    assert start.run.path == tmp_path / "then"


def test_a_pipeline_begins_at_its_beginning_where_the_file_knows_of_none(tmp_path) -> None:

    line_by_hand(tmp_path / "then", OPTIMIZERS["adam"], 7)
    data = points()

    def dataset() -> Any:
        return tf.data.Dataset.from_tensor_slices((dict(data.inputs), dict(data.labels)))

    changes = {"data": Streamed(dataset, 40, shuffle_buffer=0), "make_optimizer": OPTIMIZERS["adam"]}
    ended = run(tmp_path / "run", epochs=9, resume=str(tmp_path / "then"), **changes)
    assert ended.global_step == 9


def test_epochs_of_another_length_are_refused_on_resume(tmp_path) -> None:
    run(tmp_path / "run", epochs=2)
    with pytest.raises(RequestError, match="has 5 steps, and would now have 10"):
        run(tmp_path / "run", epochs=3, data=InMemory(points(), 4))


def test_two_new_runs_in_the_same_second_have_a_directory_each(tmp_path) -> None:

    request = Request("never", tmp_path, "same", None, ("model",), datetime(2026, 1, 1))
    for _ in range(2):
        start = decide(request)
        train_job(replace(job(tmp_path / "unused"), start=start))
    assert sorted(path.name for path in (tmp_path / "same").iterdir()) == [
        "2026-01-01_00-00-00",
        "2026-01-01_00-00-00_2",
    ]


def test_a_name_that_tensorflow_takes_for_a_pattern_is_refused(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"holds '\['"):
        check_writable(tmp_path / "r[1]")


def start_at(reference: object, root: Path, *prefixes: str) -> Start:
    return decide(Request(str(reference), root, "test", None, prefixes or ("model",), datetime(2026, 11, 24)))


@pytest.mark.parametrize(
    "form",
    [
        "runs/then@2",
        "runs/then@model-2",
        "runs@2",
        "runs/then/checkpoints/model-2",
        "runs/then/checkpoints/model-2.index",
    ],
)
def test_an_earlier_checkpoint_goes_on_in_its_run_and_sets_the_later_ones_aside(form, tmp_path) -> None:
    directory = tmp_path / "runs/then"
    run(directory, epochs=4)
    straight = shutil.copytree(directory, tmp_path / "straight")
    start = start_at(tmp_path / form, tmp_path)
    assert train_job(replace(job(tmp_path / "unused", epochs=4), start=start)).epoch == 4
    assert_same_bits(directory / "checkpoints/model-4", straight / "checkpoints/model-4")
    aside = sorted(path.stem for path in (directory / "checkpoints/superseded").glob("*.index"))
    assert aside == ["model-3", "model-4"]
    assert not (tmp_path / "unused").exists()


def test_the_best_checkpoint_goes_on(trained, copy, tmp_path) -> None:
    start = start_at(f"{copy}@best", tmp_path)
    assert (start.run.path, start.record and start.record.name) == (copy, "model-1")


def test_a_directory_of_runs_goes_on_with_its_newest_run_that_has_a_checkpoint(tmp_path) -> None:
    for name in ("a", "b"):
        run(tmp_path / "runs" / name, epochs=1)
    run(tmp_path / "runs/c", {}, epochs=1)
    start = start_at(tmp_path / "runs", tmp_path)
    assert (start.run.path, start.record and start.record.name) == (tmp_path / "runs/b", "model-1")


@pytest.mark.parametrize("form", ["", "@last", "/checkpoints"])
def test_a_newer_part_of_the_variables_is_skipped_in_a_run_and_refused_by_name(form, copy, tmp_path) -> None:
    store = CheckpointStore(copy / "checkpoints", "model")
    store.commit(replace(read_record(copy / "checkpoints/model-4.json"), complete=False))
    start = start_at(f"{copy}{form}", tmp_path)
    assert (start.record and start.record.name, [each.name for each in start.skipped]) == ("model-3", ["model-4"])
    with pytest.raises(CheckpointError, match="model-4 holds only a part of the variables"):
        start_at(f"{copy}@4", tmp_path)


def test_the_later_checkpoints_of_each_saver_are_set_aside(tmp_path) -> None:
    def savers() -> dict[str, Callback]:
        return {"a": Checkpoint(every_n_epochs=1, max_to_keep=0), "b": Checkpoint(every_n_epochs=2, prefix="rare")}

    run(tmp_path / "run", savers(), epochs=4)
    start = start_at(f"{tmp_path / 'run'}@model-1", tmp_path, "model", "rare")
    assert [store.prefix for store in start.stores] == ["model", "rare"]
    train_job(replace(job(tmp_path / "unused", savers(), epochs=2), start=start))
    left = sorted(path.stem for path in (tmp_path / "run/checkpoints").glob("*.index"))
    assert left == ["model-1", "model-2", "rare-2"]


@pytest.mark.parametrize("form", ["@1", "/model-1", "/model-1.json", ""])
def test_a_copy_inside_the_run_directory_is_an_external_checkpoint(form, copy, tmp_path) -> None:
    shutil.copytree(copy / "checkpoints", copy / "kept")
    start = start_at(f"{copy / 'kept'}{form}", tmp_path)
    assert start.external == copy / "kept" / ("model-1" if form else "model-4")
    assert start.run.path.parent == tmp_path / "test"


def test_a_directory_of_ones_own_does_not_go_with_a_checkpoint_of_a_run(copy, tmp_path) -> None:
    with pytest.raises(
        RequestError, match=r"continues in the directory of that run; leave out run_dir=.*mine"
    ) as refused:
        job(tmp_path / "mine", resume=f"{copy}@2")
    assert refused.value.argument == "run_dir"


@pytest.mark.parametrize(
    ("file", "run_dir", "resume", "message", "argument"),
    [
        ("mine/notes.txt", "mine", "never", "is in use: it holds files of no run; choose another directory", "run_dir"),
        ("mine/run.json", "mine", "never", "is in use: resume='auto' continues its run, or choose another", "run_dir"),
        ("mine", "mine", "never", "is a file; name a directory", "run_dir"),
        ("mine", "mine/deep", "never", "is a file; choose another directory", "run_dir"),
        ("test", None, "never", "is a file; choose another directory", "root"),
        ("other", None, "latest", "resume='latest': there is no run named 'test'", "resume"),
        ("other", "mine", "latest", "resume='latest': there is no run in .*mine; leave out resume", "resume"),
        ("other", None, "no/run", "resume: there is no directory no", "resume"),
    ],
)
def test_a_refusal_names_the_argument_that_is_wrong(
    file, run_dir, resume, message, argument, tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / file
    path.parent.mkdir(exist_ok=True)
    path.touch()
    directory = None if run_dir is None else tmp_path / run_dir
    with pytest.raises(RequestError, match=message) as refused:
        decide(Request(resume, tmp_path, "test", directory, ("model",), datetime(2026, 11, 24)))
    assert refused.value.argument == argument


@pytest.mark.parametrize(("word", "meant"), [("latst", "latest"), ("Auto", "auto"), ("nevr", "never")])
def test_a_typo_of_a_word_is_told(word, meant, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=f"resume \\('{word}'\\) is not never, .*; did you mean {meant}"):
        start_at(word, tmp_path)


def of_a_job(root: Path, own: str, resume: str = "auto") -> Start:
    """How a job of a sweep starts whose own runs are those with a letter in their directories' names."""
    now, prefixes = datetime(2026, 1, 1), ("model",)
    return decide(Request(resume, root, "name", None, prefixes, now, is_own=lambda run: own in run.path.name))


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ({}, "new"),
        ({"b1": "finished"}, "new"),
        ({"a1": "finished", "b2": "running"}, "a1"),
        ({"a1": "finished", "a2": "running"}, "a1"),
        ({"a1": "failed", "a2": "running", "b3": "finished"}, "a2"),
        ({"a1": "interrupted", "b2": "finished"}, "a1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else value,
)
def test_a_job_of_a_sweep_goes_on_with_its_own_run(tmp_path, runs, expected) -> None:
    for name, status in runs.items():
        (tmp_path / "name" / name).mkdir(parents=True)
        (tmp_path / "name" / name / "run.json").write_text(json.dumps({"status": status, "started": name[1]}))
    start = of_a_job(tmp_path, own="a")
    if expected == "new":
        assert start.is_new
        with pytest.raises(RequestError, match=r"no run named 'name' in .* has the settings of this job"):
            of_a_job(tmp_path, own="a", resume="latest")
    else:
        assert (start.run.path.name, start.is_finished) == (expected, runs[expected] == "finished")


def test_a_job_that_stopped_early_may_have_something_left(tmp_path) -> None:
    run(tmp_path / "name/a1", {"checkpoint": Checkpoint()}, epochs=1)
    stored = facts(tmp_path / "name/a1")
    (tmp_path / "name/a1/run.json").write_text(json.dumps({**stored, "stop_reason": "no better"}))
    start = of_a_job(tmp_path, own="a")
    assert (start.is_finished, start.record is not None) == (False, True)
    shutil.rmtree(tmp_path / "name/a1/checkpoints")  # nothing to go on from, and no reason to begin anew
    assert of_a_job(tmp_path, own="a").is_finished
