"""Files of a run that are flipped, truncated, empty or missing."""

from __future__ import annotations

import logging
import shutil

import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.metrics import Metrics
from tests.damage import DAMAGE, flip
from tests.helpers import assert_same_bits, run
from trainer.checkpoints.record import read_record
from trainer.errors import CheckpointError, RequestError
from trainer.graphdef.graph_file import read_graph


@pytest.mark.parametrize("suffix", ["data-00000-of-00001", "index", "meta", "json"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_03_04_a_damaged_checkpoint_is_set_aside_and_the_one_before_taken(
    three, straight, caplog, damage, suffix
) -> None:
    newest = three / "checkpoints" / f"model-3.{suffix}"
    if suffix == "meta" and damage != "missing":
        shutil.copy(newest, three / "copy")
        newest.unlink()
        (three / "copy").rename(newest)
    DAMAGE[damage](newest)
    with caplog.at_level(logging.INFO):
        run(three, {"m": Metrics(), "c": Checkpoint(every_n_epochs=1)}, epochs=4)
    assert_same_bits(three / "checkpoints/model-4", straight / "checkpoints/model-4")
    assert "resumed from model-2" in caplog.text
    aside = sorted(path.name for path in (three / "checkpoints").glob("damaged/*"))
    if (damage, suffix) != ("missing", "json"):  # then nothing says that it ever was a checkpoint
        assert f"model-3.{'index' if suffix != 'index' else 'meta'}" in aside


@pytest.mark.parametrize("content", [None, "", "garbage {"])
def test_04_the_state_file_does_not_matter(three, straight, content) -> None:
    state = three / "checkpoints" / "checkpoint"
    if content is None:
        state.unlink()
    else:
        state.write_text(content)
    run(three, epochs=4)
    assert_same_bits(three / "checkpoints/model-4", straight / "checkpoints/model-4")
    assert tf.train.latest_checkpoint(str(three / "checkpoints")).endswith("model-4")


def test_03_a_changed_digit_in_a_record_is_noticed(three) -> None:
    record = three / "checkpoints/model-3.json"
    record.write_text(record.read_text().replace('"global_step": 15', '"global_step": 16'))
    with pytest.raises(CheckpointError, match="not what was written"):
        read_record(record)


def test_05_all_damaged_is_an_error_that_lists_what_was_tried(three) -> None:
    for path in (three / "checkpoints").glob("*.data*"):
        flip(path)
    before = {path: path.read_bytes() for path in three.rglob("*") if path.is_file()}
    with pytest.raises(CheckpointError) as refused:
        run(three, epochs=4)
    for number in (1, 2, 3):
        assert f"model-{number}.data-00000-of-00001 differs from what was written" in str(refused.value)
    assert {path: path.read_bytes() for path in three.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_19_a_damaged_pb_is_refused(linear_run, tmp_path, damage) -> None:
    shutil.copytree(linear_run[0] / "export/frozen", tmp_path / "frozen")
    assert read_graph(tmp_path / "frozen/model.pb").node
    DAMAGE[damage](tmp_path / "frozen/model.pb")
    with pytest.raises(RequestError, match=r"model\.pb"):
        read_graph(tmp_path / "frozen/model.pb")
    (tmp_path / "frozen/model.json").unlink()
    if damage != "flipped":  # nothing in the format tells of a flipped byte
        with pytest.raises(RequestError, match=r"model\.pb"):
            read_graph(tmp_path / "frozen/model.pb")
