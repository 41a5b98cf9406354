"""CSV files that are read while training: rows, columns and files in a fixed order, and an exact resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from tests.helpers import assert_same_bits, points, run
from tests.test_same_bits import Stop
from trainer.data.csv_stream import csv_stream
from trainer.data.streamed import Streamed
from trainer.errors import RequestError

v1 = tf.compat.v1
COLUMNS = {"inputs": {"x": ["b", "a"]}, "labels": {"y": ["price"]}}


def written(directory: Path, files: int = 3) -> str:
    """Writes the points of the helpers to files with a column of text between the numbers."""
    arrays = points(300)
    for k in range(files):
        rows = range(k, 300, files)
        lines = [
            f'{arrays.inputs["x"][i, 1]!r},"text, quoted",{arrays.inputs["x"][i, 0]!r},{arrays.labels["y"][i, 0]!r}'
            for i in rows
        ]
        text = "a, note, b, price\n" + "\n".join(lines).replace("np.float32(", "").replace(")", "") + "\n\n"
        (directory / f"{k}.csv").write_text(text)
    return str(directory / "*.csv")


def read(**settings: Any) -> Any:
    with v1.Session(graph=tf.Graph()) as session, session.graph.as_default():
        return session.run(v1.data.make_one_shot_iterator(csv_stream(**settings).batch(1000)).get_next())


def test_the_rows_of_all_files_are_read_once(tmp_path) -> None:
    inputs, labels = read(path=written(tmp_path), **COLUMNS)
    arrays = points(300)
    order = np.lexsort(inputs["x"].T), np.lexsort(arrays.inputs["x"].T)
    np.testing.assert_allclose(inputs["x"][order[0]], arrays.inputs["x"][order[1]], rtol=1e-6)
    np.testing.assert_allclose(labels["y"][order[0]], arrays.labels["y"][order[1]], rtol=1e-6)


def test_there_may_be_no_labels(tmp_path) -> None:
    assert list(read(path=written(tmp_path), inputs={"x": ["a"]})) == ["x"]


def test_a_resume_is_exact(tmp_path) -> None:
    path = written(tmp_path)
    data = lambda: Streamed(lambda: csv_stream(path, **COLUMNS), 16, shuffle_buffer=50)  # noqa: E731
    saves = lambda: {"c": Checkpoint(every_n_epochs=1)}  # noqa: E731
    assert run(tmp_path / "a", saves(), data=data(), epochs=2).global_step == 36
    run(tmp_path / "b", {"s": Stop(23), **saves()}, data=data(), epochs=2)
    run(tmp_path / "b", saves(), data=data(), epochs=2)
    assert_same_bits(tmp_path / "a/checkpoints/model-2", tmp_path / "b/checkpoints/model-2")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"path": "*.tsv"}, r"no file matches \*.tsv"),
        ({"path": "3.csv"}, "there is no file 3.csv"),
        ({"inputs": {"x": ["c"]}}, "has no column 'c'; "),
        ({"inputs": {"x": "a"}}, r"data 'x' \('a'\) must be a list of columns, such as \[a\]"),
        ({"inputs": ["a"]}, "inputs .* must be a mapping of names to columns"),
        ({"path": "[0z].csv"}, r"z.csv has the columns a, b, and 0.csv has a, note, b, price; all files must"),
        ({"side_by_side": 0}, "side_by_side"),
    ],
)
def test_what_cannot_be_read_is_refused(settings, message, tmp_path, monkeypatch) -> None:
    written(tmp_path)
    (tmp_path / "z.csv").write_text("a,b\n1,2\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises((RequestError, ValueError), match=message):
        read(**{"path": "0.csv", **COLUMNS, **settings})
