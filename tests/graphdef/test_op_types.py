"""Every place agrees on what a placeholder is: what it is fed, whether it may be left out, that it is no output."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer.checkpoints.resolve import resolve_checkpoint
from trainer.errors import RequestError
from trainer.export.checkpoint_session import session_from_meta
from trainer.export.from_checkpoint import freeze_checkpoint
from trainer.export.subgraph import check_outputs, extract_inference
from trainer.graphdef.graph_file import read_graph
from trainer.graphdef.op_types import OPTIONAL_PLACEHOLDER, PLACEHOLDERS
from trainer.graphdef.output_names import likely_outputs
from trainer.inspection.static import read_model
from trainer.inspection.summary import summarize
from trainer.predict.backends.checkpoint import open_checkpoint
from trainer.predict.backends.frozen import open_frozen
from trainer.trunks.trunk import Trunk
from trainer.trunks.trunk_file import read_trunk

v1 = tf.compat.v1

W = np.float32([[2.0], [-1.0]])
X = np.float32([[1.0, 2.0], [3.0, 4.0]])
BEFORE_2017 = 21
"""Version of GraphDef that still had ``PlaceholderV2``."""


def with_op(graph_def: Any, op_type: str) -> None:
    """Makes the node ``x`` of a GraphDef an op of the given type, as a graph of its time has it."""
    if op_type == "PlaceholderV2":
        next(node for node in graph_def.node if node.name == "x").op = op_type
        graph_def.versions.producer = BEFORE_2017


def write(folder: Path, op_type: str) -> tuple[Path, Path]:
    """Writes ``op = x @ w`` as a checkpoint with its ``.meta`` and as a frozen ``.pb``."""
    with tf.Graph().as_default() as graph, v1.Session() as session:
        if op_type == OPTIONAL_PLACEHOLDER:
            x = v1.placeholder_with_default(np.zeros([1, 2], np.float32), [None, 2], name="x")
        else:
            x = v1.placeholder(tf.float32, [None, 2], name="x")
        tf.matmul(x, v1.get_variable("w", initializer=tf.constant(W)), name="op")
        session.run(v1.global_variables_initializer())
        prefix = Path(v1.train.Saver().save(session, str(folder / "model"), global_step=3))
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["op"])
    meta = v1.MetaGraphDef.FromString(Path(f"{prefix}.meta").read_bytes())
    with_op(meta.graph_def, op_type)
    Path(f"{prefix}.meta").write_bytes(meta.SerializeToString())
    with_op(frozen, op_type)
    (folder / "frozen.pb").write_bytes(frozen.SerializeToString())
    return prefix, folder / "frozen.pb"


@pytest.fixture(scope="module", params=PLACEHOLDERS)
def files(request, tmp_path_factory) -> tuple[str, Path, Path]:
    return request.param, *write(tmp_path_factory.mktemp("files"), request.param)


def in_predict_checkpoint(prefix: Path, _pb: Path) -> dict[str, bool]:
    with open_checkpoint(prefix, ["op"]) as predictor:
        assert predictor(x=X)["op"] == pytest.approx(X @ W)
        return {name: info.optional for name, info in predictor.inputs.items()}


def in_predict_frozen(_prefix: Path, pb: Path) -> dict[str, bool]:
    with open_frozen(pb) as predictor:
        assert predictor(x=X)["op"] == pytest.approx(X @ W)
        return {name: info.optional for name, info in predictor.inputs.items()}


def in_trunk(_prefix: Path, pb: Path) -> dict[str, bool]:
    file = read_trunk(pb, ["op"])
    with tf.Graph().as_default(), v1.Session() as session:
        trunk = Trunk(path=str(pb), outputs=["op"], input_map={"x": "image"})
        trunk.build()
        assert session.run(trunk({"image": tf.constant(X)})["op"]) == pytest.approx(X @ W)
    return {name: name not in file.required_inputs() for name in file.inputs()}


def in_export(prefix: Path, _pb: Path) -> dict[str, bool]:
    file = freeze_checkpoint(resolve_checkpoint(str(prefix)), prefix.with_name("made.pb"), ["op"], {"x": X})
    assert [node.name for node in read_graph(file).node if node.op in PLACEHOLDERS] == ["x"]
    return in_predict_frozen(prefix, file)


def in_summary_without_outputs(prefix: Path, _pb: Path) -> dict[str, bool]:
    found = summarize(read_model(f"{prefix}.meta"))
    return {name: info.optional for name, info in found.inputs.items()}


PLACES: list[Callable[[Path, Path], dict[str, bool]]] = [
    in_predict_checkpoint,
    in_predict_frozen,
    in_trunk,
    in_export,
    in_summary_without_outputs,
]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
def test_it_is_an_input(files, place) -> None:
    op_type, prefix, pb = files
    assert place(prefix, pb) == {"x": op_type == OPTIONAL_PLACEHOLDER}


def test_a_checkpoint_session_feeds_it(files) -> None:
    op_type, prefix, _ = files
    with session_from_meta(prefix, Path(f"{prefix}.meta")) as live:
        graph = live.session.graph
        assert graph.get_operation_by_name("x").type == op_type
        assert list(live.fed) == ["x"]
        assert list(extract_inference(graph, live.fed, ["op"]).inputs) == ["x"]
        with pytest.raises(RequestError, match="'x', which is not an input of the model"):
            extract_inference(graph, {}, ["op"])


def test_it_is_no_output_and_what_depends_on_it_is(files) -> None:
    _, prefix, pb = files
    assert likely_outputs(read_graph(pb)) == ["op"]
    with pytest.raises(RequestError, match=r"trunk\.outputs: 'x' is an input"):
        read_trunk(pb, ["x"])
    with session_from_meta(prefix, Path(f"{prefix}.meta")) as live:
        with pytest.raises(RequestError, match="outputs: 'x' is an input"):
            check_outputs(["x"], live.session.graph, [])
        assert likely_outputs(live.session.graph.as_graph_def()) == ["op"]
