"""What an export cannot carry, refused before the run begins."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import Line, run
from trainer.errors import RequestError


class Table(Line):
    """Looks its input up in a table."""

    def __init__(self) -> None:
        super().__init__()
        keys, values = tf.constant([0, 1], tf.int64), tf.constant([0.5, 1.5])
        initializer = tf.lookup.KeyValueTensorInitializer(keys, values)
        self.table = tf.lookup.StaticHashTable(initializer, 0.0)

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": inputs["x"] @ self.w + self.table.lookup(tf.cast(inputs["x"][:, :1] > 0, tf.int64))}


def test_a_model_with_a_table_trains(tmp_path) -> None:
    assert run(tmp_path / "run", make_model=Table).epoch == 3


@pytest.mark.parametrize("export", [Freeze, SavedModel])
def test_a_table_cannot_be_exported_and_that_is_said_at_once(tmp_path, export) -> None:
    with pytest.raises(RequestError, match="look-up table"):
        run(tmp_path / "run", {"e": export()}, make_model=Table)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("name", "message"), [("w", "is a variable"), ("x", "is an input")])
def test_a_variable_or_an_input_is_no_output(tmp_path, name, message) -> None:
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", {"f": Freeze(outputs=[name])})
