"""average, freeze, export: read back with plain TensorFlow in a process of its own."""

from __future__ import annotations

import json

import numpy as np

from tests.processes import python
from tests.readers import X, line

PLAIN_READERS = """
import json, sys
import tensorflow as tf
v1 = tf.compat.v1
assert not any(name.split(".")[0] in ("trainer", "callbacks") for name in sys.modules)
frozen, saved_model, averaged = sys.argv[1:]
X = [[1.0, 2.0], [0.0, -3.0]]
answer = {}
with tf.Graph().as_default() as graph, v1.Session() as session:
    graph_def = v1.GraphDef.FromString(open(frozen, "rb").read())
    tf.import_graph_def(graph_def, name="")
    answer["frozen"] = session.run("op:0", {"x:0": X}).tolist()
    answer["ops"] = sorted({node.op for node in graph_def.node})
with tf.Graph().as_default(), v1.Session() as session:
    loaded = v1.saved_model.load(session, ["serve", "gpu"], saved_model)
    signature = loaded.signature_def["serving_default"]
    answer["saved_model"] = session.run(signature.outputs["op"].name, {signature.inputs["x"].name: X}).tolist()
with tf.Graph().as_default(), v1.Session() as session:
    v1.train.import_meta_graph(averaged + ".meta").restore(session, averaged)
    answer["averaged"] = session.run("op:0", {"x:0": X}).tolist()
    answer["step"] = int(session.run(v1.train.get_global_step()))
    session.run("train_step", {"x:0": X, "y:0": [[0.0], [0.0]]})
print("ANSWER", json.dumps(answer))
"""


def test_plain_tensorflow_reads_what_was_made_afterwards(tool, copy, tmp_path) -> None:
    assert tool("freeze", f"{copy}@2", "-o", tmp_path / "two.pb")[0] == 0
    assert tool("export", f"{copy}@3", "--tags", "serve", "gpu", "-o", tmp_path / "served")[0] == 0
    assert tool("average", f"{copy}@2", f"{copy}@3", "--to", tmp_path / "mean/model")[0] == 0
    made = [str(tmp_path / name) for name in ("two.pb", "served/3", "mean/model")]
    done = python("-c", PLAIN_READERS, *made, cwd=tmp_path, ours=False, TF_CPP_MIN_LOG_LEVEL="3")
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout.partition("ANSWER")[2])
    two, three = (line(copy / f"checkpoints/model-{number}") for number in (2, 3))
    np.testing.assert_allclose(answer["frozen"], two, rtol=1e-5)
    np.testing.assert_allclose(answer["saved_model"], three, rtol=1e-5)
    np.testing.assert_allclose(answer["averaged"], (two + three) / 2, rtol=1e-5)
    assert answer["step"] == 15
    assert set(answer["ops"]) <= {"Placeholder", "Const", "MatMul", "AddV2", "Identity"}


def test_a_batch_of_ones_own_checks_the_file(tool, copy, tmp_path) -> None:
    np.save(tmp_path / "x.npy", X)
    arguments = ["freeze", copy, "-o", tmp_path / "m.pb", "--input"]
    assert tool(*arguments, f"x={tmp_path / 'x.npy'}")[0] == 0
    code, text = tool(*arguments, f"z={tmp_path / 'x.npy'}")
    assert (code, "do not need 'z'; inputs: x" in text) == (2, True)
    np.save(tmp_path / "x.npy", np.ones([3, 5], np.float32))
    code, text = tool(*arguments, f"x={tmp_path / 'x.npy'}")
    assert (code, "give a batch that fits the model [--input NAME=FILE.npy]" in text) == (2, True)
