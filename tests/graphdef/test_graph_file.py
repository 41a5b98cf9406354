"""Files that hold a graph, or should: text, bytes, damage of every kind, and what only looks like a manifest."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.errors import DamagedError, RequestError
from trainer.graphdef.graph_file import read_graph, read_manifest
from trainer.graphdef.protos import GraphDef, MetaGraphDef, SavedModel
from trainer.inspection.static import read_model
from trainer.inspection.summary import summarize
from trainer.predict.backends.frozen import open_frozen

v1 = tf.compat.v1


def graph_def() -> Any:
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        tf.nn.relu(x @ tf.constant([[1.0], [2.0]]), name="y")
    return graph.as_graph_def()


WHOLE = graph_def().SerializeToString()


@pytest.mark.parametrize("name", ["graph.pbtxt", "graph.pb"])
def test_text_is_read_by_its_content(tmp_path, name) -> None:
    tf.io.write_graph(graph_def(), str(tmp_path), name)
    assert read_graph(tmp_path / name) == graph_def()
    with open_frozen(tmp_path / name) as predictor:
        assert predictor(x=[[1, 2]])["y"].tolist() == [[5.0]]


def renamed(message_type: Any, field: str) -> bytes:
    message = message_type()
    where = getattr(message, field)
    where = where.add().graph_def if message_type is SavedModel else where
    where.CopyFrom(graph_def())
    return bytes(message.SerializeToString())


def cyclic() -> bytes:
    graph = graph_def()
    next(node for node in graph.node if node.name == "y").input[0] = "y"
    return bytes(graph.SerializeToString())


def doubled() -> bytes:
    graph = graph_def()
    graph.node.append(graph.node[-1])
    return bytes(graph.SerializeToString())


def nested(depth: int) -> bytes:
    return b"node { name: 'x' attr { key: 'f' value { func " + b"{ attr { key: 'f' value { func " * depth


OTHERS: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    "empty": (b"", "is empty"),
    "truncated": (WHOLE[: len(WHOLE) // 2], "is not a GraphDef, or is damaged"),
    "zeros": (bytes(1000), "is not a GraphDef, or is damaged"),
    "no node": (GraphDef(versions={"producer": 3}).SerializeToString(), "holds no node"),
    "Git LFS": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "is a Git LFS pointer, .*git lfs pull"),
    "TensorFlow Lite": (b"\x1c\0\0\0TFL3" + bytes(90), "it is a TensorFlow Lite model"),
    "a SavedModel": (lambda: renamed(SavedModel, "meta_graphs"), "it is a SavedModel: name its directory"),
    "a .meta": (lambda: renamed(MetaGraphDef, "graph_def"), "it is the graph of a checkpoint: name it .meta"),
    "deep text": (nested(5000), "is not a GraphDef, or is damaged"),
    "text cut off": (b"node { name: 'x'", "is not a GraphDef, or is damaged"),
    "text of another kind": (b"node { nam: 'x' }", "is not a GraphDef, or is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_graph_is_named(tmp_path, kind) -> None:
    content, message = OTHERS[kind]
    (tmp_path / "model.pb").write_bytes(content if isinstance(content, bytes) else content())
    with pytest.raises(RequestError, match=message):
        read_graph(tmp_path / "model.pb")


@pytest.mark.parametrize("content", [cyclic, doubled])
def test_a_graph_that_cannot_be_is_shown_and_refused_when_it_is_opened(tmp_path, content) -> None:
    (tmp_path / "model.pb").write_bytes(content())
    summarize(read_model(tmp_path / "model.pb", ["y"]))
    with pytest.raises(RequestError, match=r"model\.pb"):
        open_frozen(tmp_path / "model.pb", ["y"])


def test_two_hundred_megabytes_of_zeros_are_refused_at_once(tmp_path) -> None:
    with (tmp_path / "model.pb").open("wb") as file:
        file.truncate(200 << 20)
    began = time.monotonic()
    with pytest.raises(DamagedError, match="is not a GraphDef, or is damaged"):
        read_graph(tmp_path / "model.pb")
    assert time.monotonic() - began < 20  # a quarter of a second by itself


@settings(max_examples=150, deadline=None)
@given(place=st.integers(0, len(WHOLE) - 1), value=st.integers(0, 255), rest=st.integers(0, 3))
def test_a_changed_byte_gives_an_answer_or_one_line(tmp_path_factory, place, value, rest) -> None:
    content = bytearray(WHOLE)
    content[place] = value
    file = tmp_path_factory.mktemp("changed") / "model.pb"
    file.write_bytes(bytes(content[: len(content) - rest]))
    for attempt in (lambda: summarize(read_model(file)), lambda: answer(file)):
        try:
            attempt()
        except (RequestError, ValueError, TypeError) as error:
            assert len(str(error)) < 2_000


def answer(file: Any) -> None:
    with open_frozen(file) as predictor:
        predictor(x=np.ones([1, 2], np.float32))


MANIFEST = {"file": "model.pb", "size": len(WHOLE), "sha256": "0" * 64, "inputs": {}, "outputs": {"y": {}}}


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"class_name": "Sequential", "config": {"layers": []}}),
        json.dumps({"name": "MusiCNN", "schema": {"outputs": [{"name": "y"}]}}),
        "[]",
        "// a comment\n{}",
        "",
    ],
)
def test_a_json_of_somebody_else_is_no_manifest(tmp_path, text) -> None:
    (tmp_path / "model.pb").write_bytes(WHOLE)
    (tmp_path / "model.json").write_text(text)
    assert read_manifest(tmp_path / "model.pb") is None
    assert len(read_graph(tmp_path / "model.pb").node) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [({}, "differs from its manifest"), ({"size": 3}, "its manifest says 3"), ({"outputs": None}, "is not a manifest")],
)
def test_a_manifest_is_compared(tmp_path, change, message) -> None:
    (tmp_path / "model.pb").write_bytes(WHOLE)
    (tmp_path / "model.json").write_text(json.dumps(MANIFEST | change))
    with pytest.raises(RequestError, match=message):
        read_graph(tmp_path / "model.pb")
