"""The SavedModel of a run: tags, signature, what is checked by reading back, what is left."""

from __future__ import annotations

from typing import Any

import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import Line, Unsteady, run
from trainer.errors import CallbackError

v1 = tf.compat.v1


class TwoOutputs(Line):
    """Adds a second output, inside a tf.function."""

    def __call__(self, inputs: Any, training: bool) -> Any:
        op = super().__call__(inputs, training)["op"]
        return {"op": op, "twice": tf.function(lambda x: 2 * x)(op)}


def test_tags_and_signature(tmp_path) -> None:
    run(tmp_path / "run", {"s": SavedModel(tags=["gpu", "fast"])}, make_model=TwoOutputs)
    with tf.Graph().as_default(), v1.Session() as session:
        loaded = v1.saved_model.load(session, ["serve", "gpu", "fast"], str(tmp_path / "run/export/saved_model/15"))
        signature = loaded.signature_def["serving_default"]
        assert sorted(signature.outputs) == ["op", "twice"]
        assert signature.inputs["x"].name == "x:0"


def test_tags_as_a_string_are_refused() -> None:
    with pytest.raises(TypeError, match=r"such as \[gpu\]"):
        SavedModel(tags="gpu")


def test_a_saved_model_that_gives_something_else_fails_the_run(tmp_path) -> None:
    with pytest.raises(CallbackError, match="differs from the live session"):
        run(tmp_path / "run", {"s": SavedModel()}, make_model=Unsteady)
    assert list((tmp_path / "run/export/saved_model").iterdir()) == []


def test_a_second_export_of_the_same_step_replaces_the_first(tmp_path) -> None:
    run(tmp_path / "run", {"c": Checkpoint(), "s": SavedModel(), "f": Freeze()}, epochs=2)
    (tmp_path / "run/export/saved_model/2/of_the_first").write_text("")
    run(tmp_path / "run", {"c": Checkpoint(), "s": SavedModel(), "f": Freeze()}, epochs=2)
    assert [path.name for path in (tmp_path / "run/export/saved_model").iterdir()] == ["2"]
    assert not (tmp_path / "run/export/saved_model/2/of_the_first").exists()
    assert sorted(path.name for path in (tmp_path / "run/export/frozen").iterdir()) == ["model.json", "model.pb"]
