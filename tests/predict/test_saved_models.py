"""SavedModels of every age: tags, signatures, sparse and ragged tensors, what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer.errors import DamagedError, RequestError
from trainer.graphdef.protos import SavedModel
from trainer.inspection.static import read_model
from trainer.predict.backends.dispatch import open_predictor

v1 = tf.compat.v1

X = np.float32([[1.0], [2.0]])


def build(path: Path, graphs: Sequence[Sequence[str]], signatures: Sequence[str] = ("serving_default",)) -> Path:
    """Saves ``y = 0.5 x + 3`` under one or several sets of tags."""
    builder = v1.saved_model.Builder(str(path))
    for i, tags in enumerate(graphs):
        with tf.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, 1], name="x")
            y = tf.add(x * v1.get_variable("w", [], initializer=v1.constant_initializer(0.5)), 3.0, name="y")
            session.run(v1.global_variables_initializer())
            defined = {name: v1.saved_model.predict_signature_def({"x": x}, {"y": y}) for name in signatures}
            if i == 0:
                builder.add_meta_graph_and_variables(session, list(tags), defined)
            else:
                builder.add_meta_graph(list(tags), defined)
    builder.save()
    return path


def changed(path: Path, change: Any) -> Path:
    file = path / "saved_model.pb"
    message = SavedModel.FromString(file.read_bytes())
    change(message.meta_graphs[0])
    file.write_bytes(message.SerializeToString())
    return path


def result(path: Path, outputs: Any = None, **options: Any) -> Any:
    with open_predictor(path, outputs, **options) as predictor:
        return predictor(x=X)["y"].ravel().tolist()


@pytest.mark.parametrize(
    ("graphs", "tags"),
    [
        ([["serve"]], None),
        ([["train", "serve"]], None),
        ([["gpu"]], None),
        ([["train", "serve"], ["gpu"]], None),
        ([["train"], ["serve"]], None),
        ([["train", "serve"]], ["serve", "train"]),
        ([["serve"], ["serve", "gpu"]], ["serve", "gpu"]),
    ],
)
def test_a_graph_is_found_by_all_its_tags_or_alone(tmp_path, graphs, tags) -> None:
    path = build(tmp_path / "saved", graphs)
    assert result(path, tags=tags) == [3.5, 4.0]
    assert read_model(path, tags=tags).outputs["y"].shape == (None, 1)


@pytest.mark.parametrize(
    ("graphs", "tags"), [([["serve"]], ["gpu"]), ([["a"], ["b"]], None), ([["serve", "a"], ["serve", "b"]], None)]
)
def test_other_tags_are_listed(tmp_path, graphs, tags) -> None:
    path = build(tmp_path / "saved", graphs)
    with pytest.raises(RequestError, match=f"there are: {'; '.join(' '.join(sorted(each)) for each in graphs)}"):
        open_predictor(path, tags=tags)


def test_several_signatures_are_listed_and_chosen(tmp_path) -> None:
    path = build(tmp_path / "saved", [["serve"]], ["regress", "predict"])
    assert list(read_model(path).signatures) == ["predict", "regress"]
    assert result(path, signature="predict") == [3.5, 4.0]
    with pytest.raises(
        RequestError, match=r"several signatures and no 'serving_default': predict, regress; choose one"
    ):
        open_predictor(path)
    with pytest.raises(RequestError, match=r"no 'predictt'; did you mean predict\?"):
        open_predictor(path, signature="predictt")


def test_a_model_without_signatures_takes_names_of_nodes(tmp_path) -> None:
    path = build(tmp_path / "saved", [["serve"]], [])
    assert result(path, ["y"]) == [3.5, 4.0]
    assert read_model(path).likely == ["y"]
    with pytest.raises(RequestError, match="has no signature; name its outputs; likely: y"):
        open_predictor(path)


def test_a_signature_without_shapes_takes_those_of_the_graph(tmp_path) -> None:
    def without_shapes(meta_graph: Any) -> None:
        for signature in meta_graph.signature_def.values():
            for info in [*signature.inputs.values(), *signature.outputs.values()]:
                info.ClearField("tensor_shape")

    path = changed(build(tmp_path / "saved", [["serve"]]), without_shapes)
    assert result(path) == [3.5, 4.0]
    assert read_model(path).inputs["x"].shape == (None, 1)
    assert read_model(path).outputs["y"].shape == (None, 1)


def test_what_a_prediction_does_not_need_is_not_loaded(tmp_path) -> None:
    def with_another_op(meta_graph: Any) -> None:
        meta_graph.graph_def.node.add(name="queue", op="FIFOQueueV2").attr["component_types"].list.type.append(999)

    assert result(changed(build(tmp_path / "saved", [["serve"]]), with_another_op)) == [3.5, 4.0]


def test_what_is_missing_is_named(tmp_path) -> None:
    path = build(tmp_path / "saved", [["serve"]])
    shutil.rmtree(path / "variables")
    with pytest.raises(RequestError, match=r"has the variable 'w' and no variables/variables\.index with its value"):
        open_predictor(path)


@pytest.mark.parametrize("name", ["../../words.txt", "words.txt"])
def test_an_asset_is_a_file_within_the_model(tmp_path, name) -> None:
    (tmp_path / "words.txt").write_text("a\n")

    def with_an_asset(meta_graph: Any) -> None:
        asset = meta_graph.asset_file_def.add(filename=name)
        asset.tensor_info.name = "x:0"

    path = changed(build(tmp_path / "saved", [["serve"]]), with_an_asset)
    with pytest.raises(DamagedError, match="lies outside the model" if ".." in name else "is missing"):
        open_predictor(path)


def test_sparse_and_ragged_tensors_are_given_as_their_parts(tmp_path) -> None:
    with tf.Graph().as_default(), v1.Session() as session:
        sparse = v1.sparse_placeholder(tf.float32, [None, 3])
        ragged = v1.ragged.placeholder(tf.float32, 1, [])
        outputs = {"sums": tf.sparse.reduce_sum(sparse, 1), "twice": ragged * 2.0}
        build_info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def(
            {"sparse": build_info(sparse), "ragged": build_info(ragged)},
            {name: build_info(tensor) for name, tensor in outputs.items()},
        )
        builder = v1.saved_model.Builder(str(tmp_path / "saved"))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    inputs = read_model(tmp_path / "saved").signatures["serving_default"][0]
    assert {name: str(info) for name, info in inputs.items()} == {
        "ragged.values": "float32 [?]",
        "ragged.row_splits": "int64 [?]",
        "sparse.indices": "int64 [?, 2]",
        "sparse.values": "float32 [?]",
        "sparse.dense_shape": "int64 [2]",
    }
    with open_predictor(tmp_path / "saved") as predictor:
        found = predictor(
            **{
                "sparse.indices": [[0, 0], [0, 2], [1, 1]],
                "sparse.values": [1.0, 2.0, 4.0],
                "sparse.dense_shape": [2, 3],
            },
            **{"ragged.values": [1.0, 2.0, 3.0], "ragged.row_splits": [0, 1, 3]},
        )
    assert found["sums"].tolist() == [3.0, 4.0]
    assert found["twice.values"].tolist() == [2.0, 4.0, 6.0]
    assert found["twice.row_splits"].tolist() == [0, 1, 3]
