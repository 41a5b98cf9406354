"""The content of run.json: typed, tolerant of what others wrote."""

from __future__ import annotations

import json
from dataclasses import fields, replace

import pytest

from trainer.runs.directory import RunDirectory
from trainer.runs.history import HistoryEntry
from trainer.runs.run_info import RollbackEntry, RunInfo
from trainer.state import CheckpointSettings

FULL = RunInfo(
    status="finished",
    name="linear",
    started="2026-11-25T12:00:00+00:00",
    ended="2026-11-25T12:01:00+00:00",
    total_epochs=3,
    epoch=3,
    global_step=300,
    newest_checkpoint="checkpoints/model-3",
    best_checkpoint="checkpoints/model-2",
    exports=("export/frozen/model.pb",),
    metrics={"loss": 0.5, "accuracy": None},
    steps_per_sec=12,
    secs={"compute": 1.5},
    stop_reason="enough",
    stopped_by="early_stopping",
    error="no",
    command="python -m trainer",
    config_digest="abc",
    changes=("seed: 0 -> 1",),
    seed=0,
    compile="xla",
    compile_reason="small",
    versions={"python": "3.11"},
    savers=(CheckpointSettings("model", pinned=frozenset({3, 1}), keep_best=2, all_variables=False),),
    trunks=({"prefix": "trunk", "sha256": "f00"},),
    tables=({"table": "words", "file": None, "sha256": "f00"},),
    rollbacks=(RollbackEntry(7, 0.5, "model-1", "loss is nan"),),
    history=(HistoryEntry("2026-11-25T12:00:00+00:00", "finished", overrides=("seed=1",), config="config.yaml"),),
    warm_start={"checkpoint": "x"},
    resumed_from={"checkpoint": "y"},
    others={"colour": "red"},
)


def test_every_field_survives_the_file() -> None:
    assert all(getattr(FULL, each.name) for each in fields(FULL) if each.name != "seed")
    assert RunInfo.from_json(json.loads(json.dumps(FULL.to_json()))) == FULL


@pytest.mark.parametrize("name", [each.name for each in fields(RunInfo) if each.name != "others"])
@pytest.mark.parametrize("wrong", [[1], {"a": [2]}, True, 3.5, "text"], ids=str)
def test_a_value_of_another_type_is_unknown_and_never_an_error(name, wrong) -> None:
    found = getattr(RunInfo.from_json({name: wrong}), name)
    assert found in (getattr(RunInfo(), name), wrong, ("1",))


@pytest.mark.parametrize("text", ["", "[1]", "{", "null", '"text"', "{}"])
def test_a_file_that_is_no_mapping_says_nothing(tmp_path, text) -> None:
    (tmp_path / "run.json").write_text(text)
    assert RunDirectory(tmp_path).info() == RunInfo()


def test_an_update_keeps_what_others_wrote_meanwhile(tmp_path) -> None:
    first, second = RunDirectory(tmp_path), RunDirectory(tmp_path)
    first.update(lambda info: replace(info, status="running", others={"colour": "red"}))
    second.add_export(tmp_path / "export/frozen/model.pb")
    first.update(lambda info: replace(info, epoch=3))
    assert json.loads((tmp_path / "run.json").read_text()) == {
        "status": "running",
        "epoch": 3,
        "exports": ["export/frozen/model.pb"],
        "colour": "red",
    }


def test_a_file_that_cannot_be_read_is_not_replaced_by_an_almost_empty_one(tmp_path) -> None:
    run = RunDirectory(tmp_path)
    (tmp_path / "run.json").symlink_to("run.json")
    assert run.info() == RunInfo()
    with pytest.raises(OSError, match="symbolic links"):
        run.update(lambda info: replace(info, epoch=3))
    assert (tmp_path / "run.json").is_symlink()
