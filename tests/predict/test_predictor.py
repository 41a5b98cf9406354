"""The three formats that a run left, opened as predictors."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import variables
from trainer.errors import CheckpointError, DamagedError, RequestError
from trainer.predict.checkpoint import open_checkpoint
from trainer.predict.dispatch import open_predictor
from trainer.predict.frozen import open_frozen
from trainer.predict.saved_model import open_saved_model

v1 = tf.compat.v1

CHECKPOINTS = (".", "checkpoints", "checkpoints/model-3", "checkpoints/model-3.meta", "checkpoints/model-3.index")
TAGGED = ("export/saved_model", "export/saved_model/3", "export/saved_model/3/saved_model.pb")
X = np.random.default_rng(0).normal(size=(7, 2)).astype(np.float32)


def expected(run: Path, number: int, x: np.ndarray) -> np.ndarray:
    values = variables(run / f"checkpoints/model-{number}")
    return x @ values["w"] + values["b"]


@pytest.mark.parametrize("place", [*CHECKPOINTS, "export/frozen/model.pb", *TAGGED])
def test_every_path_opens_the_same_model(small_run, place) -> None:
    tags = ["serve", "gpu"] if place in TAGGED else None
    with open_predictor(small_run / place, tags=tags) as predictor:
        assert str(predictor).endswith(": x float32 [?, 2] -> op float32 [?, 1]>")
        for x in (X, X[:1], X[:0], np.repeat(X, 1000, axis=0)):
            assert predictor(x=x)["op"] == pytest.approx(expected(small_run, 3, x), rel=1e-5)


def test_an_older_checkpoint_by_its_prefix(small_run) -> None:
    with open_predictor(small_run / "checkpoints/model-1") as predictor:
        assert predictor(x=X)["op"] == pytest.approx(expected(small_run, 1, X), rel=1e-5)


def test_several_side_by_side_and_in_threads(small_run) -> None:
    with open_predictor(small_run / "checkpoints/model-1") as old, open_predictor(small_run) as new:
        found: dict[int, np.ndarray] = {}
        threads = [
            threading.Thread(target=lambda i=i: found.update({i: (old, new)[i % 2](x=X)["op"]})) for i in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for i in range(8):
        assert found[i] == pytest.approx(expected(small_run, (1, 3)[i % 2], X), rel=1e-5)


def test_nothing_is_left_in_the_default_graph(small_run) -> None:
    with tf.Graph().as_default() as graph, open_predictor(small_run) as predictor:
        predictor(x=X)
        assert graph.get_operations() == []


def test_any_node_can_be_asked_for(small_run) -> None:
    with open_checkpoint(small_run, ["loss", "op:0"]) as predictor:
        assert sorted(predictor.inputs) == ["x", "y"]
        results = predictor(x=X, y=expected(small_run, 3, X) + 2)
        assert results["loss"] == pytest.approx(4, rel=1e-4)
        assert results["loss"].shape == ()
    with open_frozen(small_run / "export/frozen/model.pb", {"mine": "op"}) as predictor:
        assert list(predictor(x=X)) == ["mine"]
    with open_checkpoint(small_run, inputs={"op": "x"}) as predictor:
        assert predictor(op=X)["op"] == pytest.approx(expected(small_run, 3, X), rel=1e-5)


def test_calls_that_are_refused(small_run) -> None:
    predictor = open_predictor(small_run)
    with pytest.raises(TypeError, match=r"the input 'x' \(float32 \[\?, 2\]\) of .* is missing"):
        predictor()
    with pytest.raises(TypeError, match=r"'xx' is no input of .*; did you mean x\?"):
        predictor(x=X, xx=X)
    with pytest.raises(ValueError, match=r"x has the shape \[7, 1\] and must have \[\?, 2\]"):
        predictor(x=X[:, :1])
    predictor.close()
    predictor.close()
    with pytest.raises(ValueError, match="is closed"):
        predictor(x=X)


@pytest.mark.parametrize(
    ("place", "options", "message"),
    [
        (".", {"outputs": ["opp"]}, r"has no node 'opp'; did you mean op\?"),
        (".", {"outputs": ["op:1"]}, "'op:1' of .* is no tensor: the node has 1 outputs"),
        (".", {"outputs": ["train_step"]}, "the node has 0 outputs"),
        (".", {"tags": ["serve"]}, "belong to a SavedModel"),
        ("export/frozen/model.pb", {"outputs": ["opp"]}, r"did you mean op\?"),
        ("export/saved_model/3", {}, "no graph tagged serve; there are: serve, gpu"),
        (
            "export/saved_model/3",
            {"tags": ["serve", "gpu"], "signature": "x"},
            "has no 'x'; there are: serving_default",
        ),
        ("export/saved_model/3", {"tags": ["serve", "gpu"], "outputs": ["opp"]}, r"did you mean op\?"),
        ("export", {}, r"looked for .* found frozen, saved_model"),
        ("nowhere", {}, r"there is no file, directory or checkpoint .*nowhere; .* has: .*checkpoints"),
        ("checkpoints/model.meta", {}, "a graph without weights: there is no model.index beside it"),
        ("run.json", {}, "is no frozen graph, or only a part of one"),
    ],
)
def test_what_cannot_be_opened(small_run, place, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        open_predictor(small_run / place, **options)


def test_names_as_a_string_are_refused(small_run) -> None:
    with pytest.raises(TypeError, match=r"such as \[op\]"):
        open_predictor(small_run, outputs="op")
    with pytest.raises(TypeError, match=r"such as \[gpu\]"):
        open_saved_model(small_run / "export/saved_model/3", "gpu")


def test_an_empty_directory_says_so(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"holds no checkpoint \(looked for .*; it is empty"):
        open_predictor(tmp_path)


def test_damage_in_the_newest_checkpoint(small_run, tmp_path) -> None:
    shutil.copytree(small_run, tmp_path / "run")
    data = tmp_path / "run/checkpoints/model-3.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1] + b"?")
    with open_predictor(tmp_path / "run") as predictor:
        assert predictor.source.endswith("model-2")
    with pytest.raises(CheckpointError, match="differs from what was written"):
        open_predictor(tmp_path / "run/checkpoints/model-3")


def test_damage_in_a_frozen_graph(small_run, tmp_path) -> None:
    for name in ("model.pb", "model.json"):
        shutil.copy(small_run / "export/frozen" / name, tmp_path)
    content = (tmp_path / "model.pb").read_bytes()
    (tmp_path / "model.pb").write_bytes(content[:-9] + b"?" + content[-8:])
    with pytest.raises(DamagedError, match="is not what its manifest says"):
        open_predictor(tmp_path / "model.pb")


def test_a_graph_that_is_not_frozen(small_run, tmp_path) -> None:
    meta = v1.MetaGraphDef.FromString((small_run / "checkpoints/model.meta").read_bytes())
    (tmp_path / "graph.pb").write_bytes(meta.graph_def.SerializeToString())
    with pytest.raises(RequestError, match=r"is not frozen: it has the variable 'b'"):
        open_frozen(tmp_path / "graph.pb", ["op"])


def test_a_frozen_graph_without_a_manifest_ends_where_nobody_reads_on(small_run, tmp_path) -> None:
    shutil.copy(small_run / "export/frozen/model.pb", tmp_path)
    with open_frozen(tmp_path / "model.pb") as predictor:
        assert list(predictor(x=X)) == ["op"]


def test_a_checkpoint_of_some_variables_is_enough_to_predict_from(tmp_path) -> None:
    from callbacks.checkpoint import Checkpoint
    from tests.helpers import run

    run(tmp_path / "run", {"c": Checkpoint(var_list={"weights": "w", "b": "b"})}, epochs=1)
    with open_predictor(tmp_path / "run") as predictor:
        values = variables(tmp_path / "run/checkpoints/model-1")
        assert predictor(x=X)["op"] == pytest.approx(X @ values["weights"] + values["b"], rel=1e-5)


class Twice(tf.Module):
    """Has no graph until it is saved."""

    def __init__(self) -> None:
        super().__init__()
        self.two = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def __call__(self, x: Any) -> Any:
        return {"y": self.two * x}


def test_a_saved_model_of_eager_tensorflow(tmp_path) -> None:
    with tf.init_scope():
        model = Twice()
        tf.saved_model.save(model, str(tmp_path / "model"), signatures=model.__call__)
    with open_predictor(tmp_path / "model") as predictor:
        assert predictor(x=[1, 2.5])["y"].tolist() == [2.0, 5.0]
