"""``.npy`` files as data: which are refused, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainer.data.mapped import Mapped, NpyFile
from trainer.errors import RequestError


def saved(path: Path, array: Any) -> str:
    np.save(path, array)
    return str(path)


def cut_off(path: Path) -> str:
    saved(path, np.zeros([40, 40]))
    path.write_bytes(path.read_bytes()[:-8])
    return str(path)


def text(path: Path) -> str:
    path.write_text("1,2,3")
    return str(path)


WRONG: dict[str, tuple[Callable[[Path], str], str]] = {
    "none": (lambda path: str(path), "there is no file"),
    "another file": (text, "is not a readable .npy file"),
    "cut off": (cut_off, r"is cut off: 12,920 bytes of 12,928; write it again"),
    "Fortran order": (
        lambda path: saved(path, np.asfortranarray(np.zeros([3, 2]))),
        r"holds float64 \[3, 2\] in Fortran order, .* save numpy.ascontiguousarray",
    ),
    "text": (lambda path: saved(path, np.array(["a", "b"])), r"holds <U1 \[2\], .*use data=npz for text"),
    "pickles": (lambda path: saved(path, np.array([{}, None])), r"holds object \[2\]"),
    "a scalar": (lambda path: saved(path, np.array(3.0)), r"holds float64 \[\]"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_file_that_cannot_be_read_by_rows_is_refused(name, tmp_path) -> None:
    make, message = WRONG[name]
    with pytest.raises(RequestError, match=message):
        Mapped(make(tmp_path / "x.npy"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"labels": "y"}, r"the files differ in their number of examples \(x: 10, y: 9\)"),
        ({"batch_size": 11}, r"batch_size \(11\) is larger than the data \(10 training examples\)"),
        ({"validation": 0.01}, "leaves one part empty"),
        ({"validation": 1.5}, "must be at least 0 and less than 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message, tmp_path) -> None:
    files = {"x": saved(tmp_path / "x.npy", np.zeros([10, 2])), "y": saved(tmp_path / "y.npy", np.zeros(9))}
    given = {key: files[value] if key == "labels" else value for key, value in settings.items()}
    with pytest.raises((RequestError, ValueError), match=message):
        Mapped(files["x"], **{"batch_size": 4, **given})


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int8, np.uint16, np.bool_, np.complex64])
def test_rows_are_those_of_the_array(dtype, tmp_path) -> None:
    array = (np.random.default_rng(0).normal(size=(30, 2, 3)) * 9).astype(dtype)
    indices = np.array([3, 4, 5, 29, 0, 7, 7])
    rows = NpyFile(saved(tmp_path / "x.npy", array)).rows(indices)
    np.testing.assert_array_equal(rows, array[indices].astype(np.float32) if dtype == np.float64 else array[indices])
