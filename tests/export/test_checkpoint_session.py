"""A session restored from a checkpoint, with the graph of its ``.meta`` or of the config."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import Line
from tests.readers import run_frozen
from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.cli.assemble import parts_of
from trainer.errors import RequestError
from trainer.export.from_checkpoint import freeze_checkpoint

v1 = tf.compat.v1


def test_without_the_meta_the_graph_comes_from_the_config(tool, copy) -> None:
    assert tool("freeze", f"{copy}@2", "-o", copy / "meta.pb")[0] == 0
    assert tool("freeze", f"{copy}@2", "-o", copy / "config.pb", "--from-config")[0] == 0
    for path in (copy / "checkpoints").glob("*.meta"):
        path.unlink()
    record = json.loads((copy / "checkpoints/model-2.json").read_text())
    assert "model-2.meta" in record["files"]
    (copy / "checkpoints/model-2.json").unlink()
    assert tool("freeze", f"{copy}@2", "-o", copy / "alone.pb")[0] == 0
    for name in ("config", "alone"):
        np.testing.assert_array_equal(run_frozen(copy / f"{name}.pb"), run_frozen(copy / "meta.pb"))
    (copy / "config.yaml").unlink()
    code, text = tool("freeze", f"{copy}@2", "-o", copy / "never.pb")
    assert (code, "has no config.yaml" in text) == (2, True)


def test_a_model_that_has_changed_since_is_refused(copy) -> None:
    class Wider(Line):
        def __init__(self) -> None:
            super().__init__()
            self.w = v1.get_variable("w2", [2, 1])

    _, data = parts_of(copy)
    with pytest.raises(RequestError, match=r"w2: graph float32 \[2, 1\], not in the file"):
        freeze_checkpoint(resolve_checkpoint(copy), parts=lambda: (Wider, data))
