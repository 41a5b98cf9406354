"""Config that a run has stored, read under the names of today."""

from __future__ import annotations

import pytest

from trainer.runs.stored_config import RENAMED_KEYS, renamed_keys_in, stored_config, with_current_names

OURS = "trainer.data.arrays.InMemory"

# A config as it was stored, and as it is read.
READ = [
    ({}, {}),
    ({"seed": 1}, {"seed": 1}),
    ({"data": {"_target_": OURS, "held_out": 0.3}}, {"data": {"_target_": OURS, "validation": 0.3}}),
    ({"data": {"_target_": OURS, "most_examples": None}}, {"data": {"_target_": OURS, "max_examples": None}}),
    ({"data": {"_target_": "mine.Data", "held_out": 0.3}}, {"data": {"_target_": "mine.Data", "held_out": 0.3}}),
    ({"model": {"_target_": "trainer.a.B", "held_out": 1}}, {"model": {"_target_": "trainer.a.B", "held_out": 1}}),
    ({"data": None}, {"data": None}),
]


@pytest.mark.parametrize(("stored", "read"), READ, ids=lambda value: str(value)[:60])
def test_keys_have_their_names_of_today(stored, read) -> None:
    before = repr(stored)
    assert with_current_names(stored) == read
    assert repr(stored) == before


def test_targets_have_their_names_of_today_at_any_depth() -> None:
    stored = {"a": {"_target_": "old.A", "list": [{"_target_": "old.B"}, "old.A"]}, "b": {"_target_": "c.D"}}
    assert with_current_names(stored, {}, {"old.A": "new.A", "old.B": "new.B"}) == {
        "a": {"_target_": "new.A", "list": [{"_target_": "new.B"}, "old.A"]},
        "b": {"_target_": "c.D"},
    }


def test_a_key_of_a_renamed_target_is_renamed_too() -> None:
    stored = {"data": {"_target_": "trainer.old.Data", "x": 1}}
    read = with_current_names(stored, {"data.x": "data.y"}, {"trainer.old.Data": "trainer.new.Data"})
    assert read == {"data": {"_target_": "trainer.new.Data", "y": 1}}


def test_a_renamed_key_stays_in_its_node() -> None:
    assert all(old.rpartition(".")[0] == new.rpartition(".")[0] for old, new in RENAMED_KEYS.items())


def test_old_keys_are_found_in_nodes_of_this_trainer_alone() -> None:
    assert renamed_keys_in({"data": {"_target_": OURS, "held_out": 0.3}}) == {"data.held_out": "data.validation"}
    assert renamed_keys_in({"data": {"_target_": "mine.Data", "held_out": 0.3}}) == {}
    assert renamed_keys_in({"data": {"_target_": OURS, "validation": 0.3}}) == {}


def test_the_newest_file_is_read(tmp_path) -> None:
    assert stored_config(tmp_path) is None
    for name, share in (("config", 1), ("config-2", 2), ("config-10", 3)):
        (tmp_path / f"{name}.yaml").write_text(f"data: {{_target_: {OURS}, held_out: {share}}}\n")
    assert stored_config(tmp_path) == {"data": {"_target_": OURS, "validation": 3}}
    (tmp_path / "config-11.yaml").write_text("{")
    assert stored_config(tmp_path) is None
