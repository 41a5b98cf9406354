"""Files of a run, read with plain TensorFlow in a fresh process that cannot import this project."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.processes import python
from trainer.data.synthetic import line

HEAD = """
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
v1 = tf.compat.v1
run = sys.argv[1]
assert not any(name.split(".")[0] in ("trainer", "callbacks") for name in sys.modules)
def say(**values): print("ANSWER", __import__("json").dumps(values))
"""

META = """
with tf.Graph().as_default(), v1.Session() as session:
    latest = tf.train.latest_checkpoint(run + "/checkpoints")
    saver = v1.train.import_meta_graph(latest + ".meta")
    saver.restore(session, latest)
    op = session.run("op:0", {"x:0": [[0.0], [1.0]], "y:0": [[0.0], [0.0]]})
    loss = session.run("loss:0", {"x:0": [[0.0]], "y:0": [[5.0]]})
    for _ in range(50):
        session.run("train_step", {"x:0": [[0.0]], "y:0": [[5.0]]})
    after = session.run("loss:0", {"x:0": [[0.0]], "y:0": [[5.0]]})
    state = tf.train.get_checkpoint_state(run + "/checkpoints")
    kept = [path.split("-")[-1] for path in state.all_model_checkpoint_paths]
    say(latest=latest.split("/")[-1], op=op.ravel().tolist(), loss=float(loss), after=float(after), kept=kept,
        step=int(session.run(v1.train.get_global_step())))
"""

FROZEN = """
graph_def = v1.GraphDef()
graph_def.ParseFromString(open(run + "/export/frozen/model.pb", "rb").read())
with tf.Graph().as_default() as graph, v1.Session() as session:
    tf.import_graph_def(graph_def, name="")
    op = session.run(graph.get_tensor_by_name("op:0"), {"x:0": [[0.0], [1.0]]})
    say(op=op.ravel().tolist(), ops=sorted({node.op for node in graph_def.node}),
        inputs=[node.name for node in graph_def.node if node.op == "Placeholder"])
"""

SAVED_MODEL = """
with tf.Graph().as_default(), v1.Session() as session:
    loaded = v1.saved_model.load(session, ["serve"], run + "/export/saved_model/300")
    signature = loaded.signature_def["serving_default"]
    op = session.run(signature.outputs["op"].name, {signature.inputs["x"].name: [[0.0], [1.0]]})
    ops = sorted({op.type for op in session.graph.get_operations()})
eager = tf.saved_model.load(run + "/export/saved_model/300").signatures["serving_default"](tf.constant([[0.0], [1.0]]))
say(op=op.ravel().tolist(), inputs=sorted(signature.inputs), outputs=sorted(signature.outputs), ops=ops,
    eager=eager["op"].numpy().ravel().tolist())
"""


def answer(code: str, run: Path) -> dict[str, object]:
    """Runs the code in a fresh process in another directory and returns its output."""
    done = python("-c", HEAD + code, str(run), cwd=run.parent, ours=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    return json.loads(line.removeprefix("ANSWER"))


def test_import_meta_graph_and_restore(linear_run) -> None:
    said = answer(META, linear_run[0])
    assert said["latest"] == "model-300"
    assert said["op"] == pytest.approx([1.0, 4.0], abs=0.05)
    assert said["after"] < said["loss"] / 2
    assert said["kept"] == ["270", "280", "290", "300"]
    assert said["step"] == 30_050


def test_frozen_graph(linear_run) -> None:
    said = answer(FROZEN, linear_run[0])
    assert said["op"] == pytest.approx([1.0, 4.0], abs=0.05)
    assert said["inputs"] == ["x"]
    assert set(said["ops"]) <= {"Placeholder", "Const", "MatMul", "AddV2", "Identity"}


def test_saved_model(linear_run) -> None:
    said = answer(SAVED_MODEL, linear_run[0])
    assert said["op"] == pytest.approx([1.0, 4.0], abs=0.05)
    assert said["op"] == said["eager"]
    assert (said["inputs"], said["outputs"]) == (["x"], ["op"])
    assert not [op for op in said["ops"] if "Apply" in op or "Iterator" in op or "PyFunc" in op]


def test_manifest(linear_run) -> None:
    frozen = linear_run[0] / "export" / "frozen"
    manifest = json.loads((frozen / "model.json").read_text())
    data = (frozen / manifest["file"]).read_bytes()
    assert (manifest["size"], manifest["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    assert manifest["inputs"] == {"x": {"tensor": "x:0", "dtype": "float32", "shape": [None, 1]}}
    assert manifest["outputs"] == {"op": {"tensor": "op:0", "dtype": "float32", "shape": [None, 1]}}
    assert manifest["checkpoint"] == "checkpoints/model-300"
    assert manifest["versions"]["tensorflow"]


def test_no_training_data_in_any_file(linear_run) -> None:
    inputs, labels = line().inputs["x"], line().labels["y"]
    for path in linear_run[0].rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [i for i in range(0, 3200, 100) if inputs[i : i + 3].tobytes() in content], path
            assert not [i for i in range(0, 3200, 100) if labels[i : i + 3].tobytes() in content], path


def test_every_kept_checkpoint_has_its_graph(linear_run) -> None:
    code = """
for number in (270, 280, 290, 300):
    with tf.Graph().as_default(), v1.Session() as session:
        prefix = f"{run}/checkpoints/model-{number}"
        v1.train.import_meta_graph(prefix + ".meta").restore(session, prefix)
        assert session.run(v1.train.get_global_step()) == number * 100
say(done=True)
"""
    assert answer(code, linear_run[0]) == {"done": True}
