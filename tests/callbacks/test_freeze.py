"""The frozen graph of a run: what is refused, what is checked by reading back, what is left."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import Line, Unsteady, run, variables
from trainer.callback import Callback, Context
from trainer.errors import CallbackError, RequestError
from trainer.schedule import Schedule

v1 = tf.compat.v1


class TwoOutputs(Line):
    """Adds a second output, inside a tf.function."""

    def __call__(self, inputs: Any, training: bool) -> Any:
        op = super().__call__(inputs, training)["op"]
        return {"op": op, "twice": tf.function(lambda x: 2 * x)(op)}


def frozen_outputs(path, names, x) -> list[Any]:
    graph_def = v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return session.run([f"{name}:0" for name in names], {"x:0": x})


X = np.float32([[1.0, 2.0]])


def test_without_names_the_models_outputs_are_frozen(tmp_path) -> None:
    run(tmp_path / "run", {"f": Freeze()}, make_model=TwoOutputs)
    op, twice = frozen_outputs(tmp_path / "run/export/frozen/model.pb", ["op", "twice"], X)
    assert twice == pytest.approx(2 * op)
    graph_def = v1.GraphDef.FromString((tmp_path / "run/export/frozen/model.pb").read_bytes())
    functions = [function.signature.name for function in graph_def.library.function]
    assert not [name for name in functions if "steps" in name or "update" in name]


def test_a_port_and_a_label_can_be_named(tmp_path) -> None:
    run(tmp_path / "run", {"f": Freeze(outputs=["op:0", "loss"], name="both")})
    manifest = json.loads((tmp_path / "run/export/frozen/both.json").read_text())
    assert sorted(manifest["inputs"]) == ["x", "y"]
    assert sorted(manifest["outputs"]) == ["loss", "op"]


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (["opp"], r"no node 'opp'; did you mean op\?"),
        ([], "outputs is empty"),
        (["op:1"], "only output 0"),
        (["train_step"], "belongs to training"),
        (["nothing_like_it"], "likely ones: op"),
    ],
)
def test_wrong_names_are_refused_before_anything_is_created(tmp_path, outputs, message) -> None:
    with pytest.raises(RequestError, match=message):
        run(tmp_path / "run", {"f": Freeze(outputs=outputs)})
    assert not (tmp_path / "run").exists()


def test_what_the_best_checkpoint_holds_is_exported(tmp_path) -> None:
    losses = iter([3.0, 1.0, 2.0])

    class Report(Callback):
        schedule = Schedule(every_n_epochs=1)

        def on_step_end(self, context: Context) -> None:
            context.report({"loss": next(losses)})

    callbacks = {
        "report": Report(),
        "c": Checkpoint(every_n_epochs=1, keep_best=1),
        "f": Freeze(which="best"),
        "s": SavedModel(which="best"),
    }
    run(tmp_path / "run", callbacks, epochs=3)
    best = variables(tmp_path / "run/checkpoints/model-2")
    (op,) = frozen_outputs(tmp_path / "run/export/frozen/model.pb", ["op"], X)
    assert op == pytest.approx(X @ best["w"] + best["b"], rel=1e-5)
    assert json.loads((tmp_path / "run/export/frozen/model.json").read_text())["checkpoint"] == "checkpoints/model-2"
    assert (tmp_path / "run/export/saved_model/2").is_dir()


def test_a_frozen_graph_that_gives_something_else_fails_the_run(tmp_path) -> None:
    with pytest.raises(CallbackError, match=r"callbacks\.f failed in on_train_end: .* op differs by up to"):
        run(tmp_path / "run", {"f": Freeze()}, make_model=Unsteady)
    assert list((tmp_path / "run/export/frozen").iterdir()) == []
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "failed"


def test_a_graph_that_would_not_fit_into_a_pb_is_refused_early(tmp_path) -> None:
    class Huge(Line):
        def __init__(self) -> None:
            super().__init__()
            self.huge = v1.get_variable("huge", [2**14, 2**15], initializer=v1.zeros_initializer(), trainable=False)

        def __call__(self, inputs: Any, training: bool) -> Any:
            op = super().__call__(inputs, training)["op"]
            return {"op": op + tf.gather(self.huge, 0)[0]}

    with pytest.raises(RequestError, match="holds 2 GB at most"):
        run(tmp_path / "run", {"f": Freeze()}, make_model=Huge)
