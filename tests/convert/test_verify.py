"""A converted file, compared with its source before it is put in place."""

from __future__ import annotations

import numpy as np
import pytest

from tests.convert.nets import write_sum
from trainer.convert.lite_runtime import open_tflite
from trainer.convert.tflite import convert_to_tflite
from trainer.convert.verify import put_in_place
from trainer.errors import ReadBackError
from trainer.predict.backends.frozen import open_frozen


def test_a_file_that_gives_something_else_is_not_put_in_place(tmp_path) -> None:
    other = convert_to_tflite(write_sum(tmp_path / "other.pb", 1.0), tmp_path / "other.tflite").path.read_bytes()
    batch = {"x": np.float32([[1, 2], [3, 4]])}
    with (
        open_frozen(write_sum(tmp_path / "net.pb", 0.0)) as source,
        pytest.raises(ReadBackError, match=r"net.tflite was not written: op is up to 1"),
    ):
        put_in_place(other, tmp_path / "net.tflite", source, open_tflite, batch)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.pb", "other.pb", "other.tflite"]
