"""The frozen file, checked before it is put in place."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from trainer.checkpoints.catalog import find_checkpoint
from trainer.errors import ReadBackError
from trainer.export import frozen
from trainer.export.from_checkpoint import freeze_checkpoint


def test_a_frozen_file_that_gives_something_else_is_not_put_in_place(copy, monkeypatch) -> None:

    convert = frozen.v1.graph_util.convert_variables_to_constants

    def off_by_one(*arguments: Any) -> Any:
        result = convert(*arguments)
        for node in result.node:
            if node.name == "b":
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([99.0]))
        return result

    monkeypatch.setattr(frozen.v1.graph_util, "convert_variables_to_constants", off_by_one)
    with pytest.raises(ReadBackError, match="op differs by up to"):
        freeze_checkpoint(find_checkpoint(copy), copy / "wrong.pb")
    assert not list(copy.glob("wrong*"))
