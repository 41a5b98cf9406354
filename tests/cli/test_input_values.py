"""Values of inputs as they are typed."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.cli.input_values import parse_inputs, read_arrays
from trainer.errors import RequestError
from trainer.predict.tensor_info import TensorInfo


@pytest.mark.parametrize(
    ("text", "shape", "wanted"),
    [
        ("x=1,2,3", (None,), [1, 2, 3]),
        ("x=1,2,3", (None, 1), [[1], [2], [3]]),
        ("x=1,2,3,4", (None, 2), [[1, 2], [3, 4]]),
        ("x=1.5", (), 1.5),
        ("x=1,2", (2,), [1, 2]),
        ("x=1,2,3", (None, 2), [1, 2, 3]),
        ("x=1,2,3", None, [1, 2, 3]),
        ("x=[[1,2],[3,4]]", (None, 2), [[1, 2], [3, 4]]),
        ("x=true,false", (None,), [True, False]),
        ("x=a,b", (None,), ["a", "b"]),
        ("x=", (None,), []),
    ],
)
def test_typed(text, shape, wanted) -> None:
    value = parse_inputs([text], {"x": TensorInfo("x:0", "float32", shape)})["x"]
    assert np.asarray(value).tolist() == wanted


@pytest.mark.parametrize(
    ("text", "shape", "wanted"),
    [
        ("x=ant,bee", (None,), ["ant", "bee"]),
        ("x=1,2", (None,), ["1", "2"]),
        ("x=true", (None,), ["true"]),
        ("x=Draw, then stop", (None,), ["Draw, then stop"]),
        ('x="a b","c, d"', (None,), ["a b", "c, d"]),
        ('x=["a b", "c"]', (None,), ["a b", "c"]),
        ("x=[not a list", (None,), ["[not a list"]),
        ('x="half', (None,), ['"half']),
        ("x=a,b,c,d", (None, 2), [["a", "b"], ["c", "d"]]),
        ("x=one line", (), "one line"),
    ],
)
def test_typed_strings(text, shape, wanted) -> None:
    value = parse_inputs([text], {"x": TensorInfo("x:0", "string", shape)})["x"]
    assert np.asarray(value).tolist() == wanted


def test_files(tmp_path) -> None:
    np.save(tmp_path / "one.npy", [1, 2])
    np.savez(tmp_path / "two.npz", x=[3], y=[4])
    found = parse_inputs([f"@{tmp_path}/two.npz", f"x=@{tmp_path}/one.npy", f"z=@{tmp_path}/one.npy"], {})
    assert {name: value.tolist() for name, value in found.items()} == {"x": [1, 2], "y": [4], "z": [1, 2]}
    assert parse_inputs([f"y=@{tmp_path}/two.npz"], {})["y"].tolist() == [4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "must be NAME=VALUES"),
        ("=1", "must be NAME=VALUES"),
        ("x=@{}/none.npy", "none.npy cannot be read: No such file"),
        ("x=@{}/text.npy", "is not a file of numpy"),
        ("x=@{}/empty.npy", "is not a file of numpy"),
        ("x=@{}/pickled.npy", "without pickles"),
        ("z=@{}/two.npz", "has no array 'z'; there are: x, y"),
        ("@{}/one.npy", "one array without a name"),
    ],
)
def test_refused(tmp_path, text, message) -> None:
    np.save(tmp_path / "one.npy", [1, 2])
    np.savez(tmp_path / "two.npz", x=[3], y=[4])
    np.save(tmp_path / "pickled.npy", np.array([{}]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("1, 2")
    (tmp_path / "empty.npy").write_text("")
    with pytest.raises(RequestError, match=message):
        parse_inputs([text.format(tmp_path)], {})
    with pytest.raises(RequestError, match="cannot be read"):
        read_arrays(tmp_path)
