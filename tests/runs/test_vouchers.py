"""Vouchers: what a user has exported with trust opens again, and what others made does not."""

from __future__ import annotations

import json
import stat

import numpy as np
import pytest
import tensorflow as tf

from tests.old_graphs import save_graph, variable
from trainer.errors import RequestError
from trainer.export.from_checkpoint import export_checkpoint, freeze_checkpoint
from trainer.predict.backends.dispatch import open_predictor
from trainer.runs.vouchers import digest_of_files, is_vouched, key_file, voucher_for

v1 = tf.compat.v1


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_voucher_is_for_one_content_by_one_key(tmp_path, monkeypatch) -> None:
    voucher = voucher_for("digest")
    assert stat.S_IMODE(key_file().stat().st_mode) == 0o600
    assert is_vouched("digest", voucher)
    assert not is_vouched("another", voucher)
    for other in (None, "", 7, "é", voucher[:-1]):
        assert not is_vouched("digest", other)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    assert not is_vouched("digest", voucher)
    assert voucher_for("digest") != voucher
    assert not is_vouched("digest", voucher)


def test_without_a_place_for_the_key_there_is_none(tmp_path, monkeypatch, caplog) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert voucher_for("digest") is None
    assert "needs trust to be opened" in caplog.text


def test_names_and_contents_count(tmp_path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/words.txt").write_text("a")
    (tmp_path / "model").write_text("b")
    first = digest_of_files(tmp_path, ["model", "assets"])
    assert first == digest_of_files(tmp_path, ["assets", "model"])
    (tmp_path / "assets/words.txt").rename(tmp_path / "assets/other.txt")
    assert digest_of_files(tmp_path, ["model", "assets"]) != first


def exported(tmp_path, *, trust=True):
    def build() -> None:
        rows = v1.placeholder(tf.float32, [None, 2], name="x") * variable("w", np.float32(1))
        with tf.control_dependencies([tf.io.write_file(str(tmp_path / "canary"), "here")]):
            tf.identity(rows, name="op")

    prefix = save_graph(tmp_path / "run", build)
    made = freeze_checkpoint(prefix, tmp_path / "m.pb", ["op"], trust=trust)
    return made, export_checkpoint(prefix, tmp_path / "saved", outputs=["op"], trust=trust)


def test_an_export_of_ones_own_opens_without_trust(tmp_path, monkeypatch) -> None:
    for path in exported(tmp_path):
        with open_predictor(path) as predictor:
            assert predictor(x=[[1, 2]])["op"].tolist() == [[1, 2]]
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody"))
        with pytest.raises(RequestError, match="does more than compute"):
            open_predictor(path)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_changed_export_is_not_vouched_for(tmp_path) -> None:
    _, saved = exported(tmp_path)
    (saved / "assets").mkdir(exist_ok=True)
    (saved / "assets/more.txt").write_text("x")
    with pytest.raises(RequestError, match="does more than compute"):
        open_predictor(saved)


def test_an_export_that_only_computes_needs_no_key(tmp_path) -> None:
    def build() -> None:
        tf.multiply(v1.placeholder(tf.float32, [None], name="x"), variable("w", np.float32(3)), name="op")

    prefix = save_graph(tmp_path / "run", build)
    made = freeze_checkpoint(prefix, tmp_path / "m.pb", ["op"])
    assert "voucher" not in json.loads(made.with_suffix(".json").read_text())
    assert not key_file().exists()
