"""Examples from .npz and CSV files."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.data.files import csv_columns, npz
from trainer.errors import RequestError


def test_npz(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.ones((4, 2)), y=np.arange(4))
    arrays = npz(str(tmp_path / "a.npz"), ["x"], ["y"])
    assert (arrays.inputs["x"].dtype, arrays.labels["y"].dtype) == (np.float32, np.int64)


def test_csv(tmp_path) -> None:
    (tmp_path / "a.csv").write_text('width, "height",name,price\n1,2,one,3\n4.5,"5","a, b",-6e1\n')
    arrays = csv_columns(str(tmp_path / "a.csv"), {"x": ["height", "width"]}, {"y": ["price"]})
    assert arrays.inputs["x"].tolist() == [[2.0, 1.0], [5.0, 4.5]]
    assert arrays.labels["y"].tolist() == [[3.0], [-60.0]]


def test_unreadable_files_are_refused(tmp_path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\x01\x02not a file of any kind" * 9)
    with pytest.raises(RequestError, match=r"is not a readable \.npz file"):
        npz(str(broken), ["x"], ["y"])
    with pytest.raises(RequestError, match="has no column 'a'"):
        csv_columns(str(broken), {"x": ["a"]}, {"y": ["b"]})
    with pytest.raises(RequestError, match="there is no file"):
        npz(str(tmp_path / "none.npz"), ["x"], ["y"])
    with pytest.raises(RequestError, match="is a directory"):
        npz(str(tmp_path), ["x"], ["y"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x,y\n", "no row"),
        ("", "no column 'x'"),
        ("x,y\n1,abc\n", "cannot be read as CSV numbers.*abc"),
        ("x,y\n1\n", "cannot be read as CSV numbers"),
        ("X,y\n1,2\n", r"did you mean X\?"),
    ],
)
def test_a_csv_file_with_a_mistake_is_refused(tmp_path, text, message) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(RequestError, match=message):
        csv_columns(str(tmp_path / "a.csv"), {"x": ["x"]}, {"y": ["y"]})


def test_a_name_that_is_not_in_the_npz_is_refused(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", pixels=np.ones(4), y=np.arange(4))
    with pytest.raises(RequestError, match=r"no array 'pixel'; did you mean pixels\?"):
        npz(str(tmp_path / "a.npz"), ["pixel"], ["y"])


def test_pickles_are_refused(tmp_path) -> None:
    np.savez(tmp_path / "a.npz", x=np.array([{}, {}], dtype=object), y=np.arange(2))
    with pytest.raises(RequestError, match="pickle"):
        npz(str(tmp_path / "a.npz"), ["x"], ["y"])
