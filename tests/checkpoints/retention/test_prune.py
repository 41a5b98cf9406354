"""prune, pin, unpin: what is removed, what is kept, and that later runs keep to it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from tests.damage import flip
from tests.helpers import run
from trainer.checkpoints.record import read_record
from trainer.checkpoints.retention.pins import read_pins
from trainer.checkpoints.store import CheckpointStore
from trainer.runs.lock import RunLock


def names(directory: Path) -> list[str]:
    return sorted(path.stem for path in (directory / "checkpoints").glob("*.index"))


def test_a_dry_run_says_what_a_prune_does(tool_json, copy) -> None:
    everything = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    said = tool_json("prune", copy, "--keep", 2, "--dry-run")
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == everything
    done = tool_json("prune", copy, "--keep", 2)
    assert said == (0, {**done[1], "dry_run": True})
    assert done[1]["kept"] == ["model-3", "model-4"] == names(copy)
    gone = {path: len(content) for path, content in everything.items() if not path.exists()}
    # The graph is shared with the checkpoints that are kept.
    assert done[1]["freed"] == sum(size for path, size in gone.items() if path.suffix != ".meta")


def test_after_a_prune_plain_tensorflow_and_run_json_agree_with_what_is_there(tool, copy) -> None:
    assert json.loads((copy / "run.json").read_text())["best_checkpoint"] == "checkpoints/model-1"
    assert tool("prune", copy, "--keep", 2)[0] == 0
    state = tf.train.get_checkpoint_state(str(copy / "checkpoints"))
    assert [Path(path).name for path in state.all_model_checkpoint_paths] == ["model-3", "model-4"]
    facts = json.loads((copy / "run.json").read_text())
    # The config's monitor and mode: the greatest error of those that are left.
    assert facts["best_checkpoint"] == "checkpoints/model-3"
    assert (facts["newest_checkpoint"], facts["status"]) == ("checkpoints/model-4", "finished")
    assert run(copy, {"c": Checkpoint(max_to_keep=0)}, epochs=5).epoch == 5


@pytest.mark.parametrize(
    ("arguments", "kept"),
    [
        (["--keep-best", 1], ["model-1", "model-4"]),
        (["--keep-best", 2, "--monitor", "loss", "--mode", "max"], ["model-1", "model-2", "model-4"]),
        (["--keep-best", 2, "--monitor", "loss", "--mode", "min"], ["model-3", "model-4"]),
    ],
)
def test_prune_keeps_the_best(tool, copy, arguments, kept) -> None:
    assert tool("prune", copy, "--keep", 1, *arguments)[0] == 0
    assert names(copy) == kept


def test_a_damaged_checkpoint_counts_for_nothing_and_is_left(tool_json, copy) -> None:
    flip(copy / "checkpoints/model-4.data-00000-of-00001")
    code, data = tool_json("prune", copy, "--keep", 1)
    assert (code, data["kept"], data["damaged"]) == (1, ["model-3"], ["model-4"])
    assert names(copy) == ["model-3", "model-4"]


def test_a_run_that_is_going_on_is_not_pruned(tool, copy) -> None:
    with RunLock(copy / "run.lock"):
        code, text = tool("prune", copy, "--keep", 1)
        assert (code, "is in use by process" in text) == (2, True)
        assert len(names(copy)) == 4
        assert tool("prune", copy, "--keep", 1, "--dry-run")[0] == 0


def test_of_several_prefixes_one_must_be_chosen(tool, copy) -> None:
    record = read_record(copy / "checkpoints/model-4.json")
    CheckpointStore(copy / "checkpoints", "other").commit(replace(record, name="other-4", files={}))
    code, text = tool("prune", copy, "--keep", 1, "--dry-run")
    assert (code, "model, other; choose a prefix [--prefix PREFIX]" in text) == (2, True)
    code, text = tool("prune", copy, "--keep", 1, "--dry-run", "--prefix", "othr")
    assert (code, "did you mean other? [--prefix PREFIX]" in text) == (2, True)


def test_a_prune_names_what_is_kept_and_removed(tool, copy) -> None:
    code, text = tool("prune", copy, "--keep", 1, "--dry-run")
    assert (code, text.split().count("kept"), text.count("would be removed")) == (0, 1, 3)


def test_files_of_a_plain_saver_are_neither_pruned_nor_pinned(tool, plain) -> None:
    code, text = tool("prune", plain, "--keep", 1)
    assert (code, "has no commit record" in text) == (2, True)
    code, text = tool("pin", plain, 1)
    assert (code, "has no commit record" in text) == (2, True)


def test_a_pin_holds_in_a_later_run_and_against_prune_until_it_is_taken_back(tool, tool_json, copy) -> None:
    assert tool("pin", copy, 1, 2) == (0, "pinned: 1, 2\n")
    assert tool("unpin", copy, 2) == (0, "pinned: 1\n")
    run(copy, {"c": Checkpoint(max_to_keep=1)}, epochs=5)
    assert names(copy) == ["model-1", "model-5"]
    assert tool("prune", copy, "--keep", 1)[0] == 0
    assert names(copy) == ["model-1", "model-5"]
    _, data = tool_json("list", copy)
    assert [each["pinned"] for each in data["checkpoints"]] == [True, False]
    assert tool("unpin", copy, 1) == (0, "pinned: none\n")
    run(copy, {"c": Checkpoint(max_to_keep=1)}, epochs=6)
    assert names(copy) == ["model-6"]


def pinned_by_run_json(run: Path) -> None:
    info = json.loads((run / "run.json").read_text())
    info["savers"][0]["pinned"] = [2]
    (run / "run.json").write_text(json.dumps(info))


def pinned_by_the_config_of_an_older_run(run: Path) -> None:
    info = json.loads((run / "run.json").read_text())
    del info["savers"]
    (run / "run.json").write_text(json.dumps(info))
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("pinned: []", "pinned: [2]"))


@pytest.mark.parametrize("pinned", [pinned_by_run_json, pinned_by_the_config_of_an_older_run])
def test_pins_of_the_config_hold_and_are_not_taken_back_here(tool, tool_json, copy, pinned) -> None:
    pinned(copy)
    assert [each["pinned"] for each in tool_json("list", copy)[1]["checkpoints"]] == [False, True, False, False]
    code, text = tool("unpin", copy, 2)
    assert (code, "callbacks.checkpoint.pinned" in text) == (2, True)
    assert tool("prune", copy, "--keep", 1)[0] == 0
    assert names(copy) == ["model-2", "model-4"]


def test_a_pin_that_came_too_late_is_taken_back(tool, copy, monkeypatch) -> None:
    """The rotation of a run removes the checkpoint between the first look and the write."""
    original = os.replace

    def and_then_rotate(source: str, target: str) -> None:
        original(source, target)
        if Path(target).name == "pinned.json":
            for path in Path(target).parent.glob("model-1.*"):
                path.unlink()

    monkeypatch.setattr(os, "replace", and_then_rotate)
    code, text = tool("pin", copy, 1)
    assert (code, "has no checkpoint 1" in text) == (2, True)
    assert read_pins(copy / "checkpoints") == frozenset()
