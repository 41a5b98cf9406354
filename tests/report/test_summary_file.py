"""The file of a summary is read back, and a damaged one is never an error."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.report.labelled import ValidationSummary
from trainer.report.summary_file import FILE, read_summary, store_summary

SUMMARY = ValidationSummary(
    "classes",
    examples=3,
    epoch=2,
    confusion=np.eye(2, dtype=np.int64),
    images=np.zeros((1, 4, 4, 1), np.uint8),
    truth=np.zeros(1, np.int64),
    predicted=np.ones(1, np.int64),
    probability=np.zeros(1, np.float32),
    index=np.zeros(1, np.int64),
)


def test_a_summary_is_read_back(tmp_path) -> None:
    store_summary(tmp_path, SUMMARY)
    found = read_summary(tmp_path / FILE)
    assert (found.kind, found.examples, found.epoch) == ("classes", 3, 2)
    np.testing.assert_array_equal(found.confusion, SUMMARY.confusion)
    assert found.images.shape == (1, 4, 4, 1)


def test_a_missing_one_says_how_to_get_it(tmp_path) -> None:
    assert "+callbacks=report" in read_summary(tmp_path / FILE).note


@pytest.mark.parametrize("cut", [0, 1, 100, 500])
def test_a_cut_file_is_no_error(tmp_path, cut) -> None:
    store_summary(tmp_path, SUMMARY)
    (tmp_path / FILE).write_bytes((tmp_path / FILE).read_bytes()[:cut])
    assert "cannot be read" in read_summary(tmp_path / FILE).note


@pytest.mark.parametrize(
    "changes",
    [
        {"confusion": np.zeros((2, 3), np.int64)},
        {"confusion": np.array([None, {}])},
        {"images": np.zeros((1, 4, 4), np.uint8)},
        {"images": np.zeros((2, 4, 4, 1), np.uint8)},
        {"images": np.zeros((1, 4000, 4, 1), np.uint8)},
        {"truth": np.zeros(7, np.int64)},
        {"text": np.frombuffer(b"[]", np.uint8)},
        {"text": np.frombuffer(b'{"kind": "number"}', np.uint8)},
    ],
)
def test_other_content_is_no_error(tmp_path, changes) -> None:
    store_summary(tmp_path, SUMMARY)
    with np.load(tmp_path / FILE) as stored:
        arrays = {name: stored[name] for name in stored.files}
    np.savez(tmp_path / FILE, **{**arrays, **changes})
    assert read_summary(tmp_path / FILE).kind == ""
