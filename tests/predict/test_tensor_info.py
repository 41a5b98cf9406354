"""Which values an input takes, and what becomes of them."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.predict.tensor_info import TensorInfo, convert_input


def info(dtype: str, *shape: int | None) -> TensorInfo:
    return TensorInfo("x:0", dtype, shape)


@pytest.mark.parametrize(
    ("value", "dtype", "wanted"),
    [
        ([1, 2], "float32", [1.0, 2.0]),
        ([1.5, 2], "float32", [1.5, 2.0]),
        (np.float64([0.1]), "float32", [np.float32(0.1)]),
        (np.float32([0.1]), "float64", [float(np.float32(0.1))]),
        (np.float64([np.inf, np.nan]), "float16", [np.inf, np.nan]),
        (np.arange(3), "int32", [0, 1, 2]),
        (np.uint8([255]), "float32", [255.0]),
        ([True, False], "int64", [1, 0]),
        (["a", b"b"], "string", ["a", b"b"]),
        (np.array(["a"]), "string", ["a"]),
        ([1 + 2j], "complex64", [1 + 2j]),
        ([1.5], "bfloat16", [1.5]),
    ],
)
def test_taken(value, dtype, wanted) -> None:
    result = convert_input("x", value, info(dtype, None))
    assert result.dtype == info(dtype).numpy_dtype
    np.testing.assert_array_equal(result.astype(object) if dtype == "string" else result.astype(complex), wanted)


@pytest.mark.parametrize(
    ("value", "dtype", "kind", "message"),
    [
        ([1.0], "int32", TypeError, "x is float64 and must be int32"),
        ([2**31], "int32", ValueError, "x holds 2147483648, which int32 cannot hold"),
        ([-1], "uint8", ValueError, "x holds -1, which uint8 cannot hold"),
        (np.int64([2**63 - 1]), "uint8", ValueError, "cannot hold"),
        (np.uint64([2**63]), "int64", ValueError, "cannot hold"),
        ([2**24 + 1], "float32", ValueError, "x holds 16777217, which float32 cannot hold"),
        ([1e300], "float32", ValueError, "cannot hold"),
        ([1], "bool", TypeError, "x is int64 and must be bool"),
        (["1"], "float32", TypeError, "must be float32"),
        (None, "float32", TypeError, "None"),
        ([1], "string", TypeError, "x is int64 and must be string"),
        ([None], "string", TypeError, "x holds None and must be string"),
        ([[1, 2], [3]], "float32", ValueError, "x is not an array"),
        ([[1.0]], "float32", ValueError, r"x has the shape \[1, 1\] and must have \[\?\]"),
        (1.0, "float32", ValueError, r"for a batch of one give x\[None\]"),
    ],
)
def test_refused(value, dtype, kind, message) -> None:
    with pytest.raises(kind, match=message):
        convert_input("x", value, info(dtype, None))


def test_an_array_that_fits_is_not_copied() -> None:
    array = np.zeros((2, 3), np.float32)
    assert convert_input("x", array, info("float32", None, 3)) is array
    assert convert_input("x", array, TensorInfo("x:0", "float32", None)) is array
