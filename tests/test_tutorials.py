"""Snippets of graph-mode tutorials, run on the files of a run with plain TensorFlow only."""

from __future__ import annotations

import json

import pytest

from tests.processes import python

SNIPPETS = {
    "import_meta_graph and latest_checkpoint": """
with tf.Graph().as_default(), v1.Session() as sess:
    saver = v1.train.import_meta_graph(latest + ".meta")
    saver.restore(sess, tf.train.latest_checkpoint(run + "/checkpoints"))
    answer = sess.run("op:0", {"x:0": X, "y:0": X})
""",
    "get_tensor_by_name": """
with v1.Session(graph=tf.Graph()) as sess:
    saver = v1.train.import_meta_graph(run + "/checkpoints/model.meta", clear_devices=True)
    saver.restore(sess, run + "/checkpoints/model-300")
    graph = v1.get_default_graph()
    x = graph.get_tensor_by_name("x:0")
    op = graph.get_tensor_by_name("op:0")
    answer = sess.run(op, feed_dict={x: X})
""",
    "signature of the meta graph": """
signature = v1.MetaGraphDef.FromString(open(latest + ".meta", "rb").read()).signature_def["serving_default"]
with v1.Session(graph=tf.Graph()) as sess:
    v1.train.import_meta_graph(latest + ".meta").restore(sess, latest)
    answer = sess.run(signature.outputs["op"].name, {signature.inputs["x"].name: X})
""",
    "get_operation_by_name and train on": """
with v1.Session(graph=tf.Graph()) as sess:
    v1.train.import_meta_graph(latest + ".meta").restore(sess, latest)
    graph = v1.get_default_graph()
    answer = sess.run(graph.get_operation_by_name("op").outputs[0], {"x:0": X})
    before = sess.run("loss:0", {"x:0": X, "y:0": Y + 1})
    for _ in range(20):
        sess.run(graph.get_operation_by_name("train_step"), {"x:0": X, "y:0": Y + 1})
    assert sess.run("loss:0", {"x:0": X, "y:0": Y + 1}) < before
""",
    "latest_checkpoint in the working directory": """
os.chdir(run + "/checkpoints")
with v1.Session(graph=tf.Graph()) as sess:
    v1.train.import_meta_graph("model-300.meta").restore(sess, tf.train.latest_checkpoint("./"))
    answer = sess.run("op:0", {"x:0": X})
""",
    "get_checkpoint_state": """
with v1.Session(graph=tf.Graph()) as sess:
    ckpt = tf.train.get_checkpoint_state(run + "/checkpoints")
    assert ckpt and ckpt.model_checkpoint_path
    v1.train.import_meta_graph(ckpt.model_checkpoint_path + ".meta").restore(sess, ckpt.model_checkpoint_path)
    answer = sess.run("op:0", {"x:0": X})
""",
    "the model written again, a Saver of its variables": """
with v1.Session(graph=tf.Graph()) as sess:
    names = dict(tf.train.list_variables(latest))
    x = v1.placeholder(tf.float32, [None, 1])
    slope = v1.get_variable("slope", names["slope"])
    intercept = v1.get_variable("intercept", names["intercept"])
    v1.train.Saver().restore(sess, latest)
    answer = sess.run(x * slope + intercept, {x: X})
""",
    "NewCheckpointReader": """
reader = v1.train.NewCheckpointReader(latest)
assert reader.has_tensor("global_step")
assert reader.get_tensor("global_step") == 30000
answer = X * reader.get_tensor("slope") + reader.get_tensor("intercept")
""",
    "GraphDef and import_graph_def": """
with tf.io.gfile.GFile(pb, "rb") as f:
    graph_def = v1.GraphDef()
    graph_def.ParseFromString(f.read())
with tf.Graph().as_default() as graph:
    tf.import_graph_def(graph_def, name="")
with v1.Session(graph=graph) as sess:
    answer = sess.run(graph.get_tensor_by_name("op:0"), feed_dict={graph.get_tensor_by_name("x:0"): X})
""",
    "import_graph_def under its default prefix": """
graph_def = v1.GraphDef()
graph_def.ParseFromString(open(pb, "rb").read())
with tf.Graph().as_default() as graph, v1.Session() as sess:
    tf.import_graph_def(graph_def)
    answer = sess.run("import/op:0", {"import/x:0": X})
""",
    "import_graph_def with an input of one's own": """
graph_def = v1.GraphDef.FromString(open(pb, "rb").read())
with tf.Graph().as_default(), v1.Session() as sess:
    (op,) = tf.import_graph_def(graph_def, input_map={"x:0": tf.constant(X)}, return_elements=["op:0"])
    answer = sess.run(op)
""",
    "wrap_function of a frozen graph": """
graph_def = v1.GraphDef.FromString(open(pb, "rb").read())
wrapped = v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
answer = wrapped.prune("x:0", "op:0")(tf.constant(X)).numpy()
""",
    "freeze_graph": """
from tensorflow.python.tools import freeze_graph
import tempfile
frozen = os.path.join(tempfile.mkdtemp(), "frozen.pb")
freeze_graph.freeze_graph("", "", True, latest, "op", "", "", frozen, True, "", input_meta_graph=latest + ".meta")
with tf.Graph().as_default(), v1.Session() as sess:
    tf.import_graph_def(v1.GraphDef.FromString(open(frozen, "rb").read()), name="")
    answer = sess.run("op:0", {"x:0": X})
""",
    "saved_model.loader by tags": """
with v1.Session(graph=tf.Graph()) as sess:
    v1.saved_model.loader.load(sess, [v1.saved_model.tag_constants.SERVING], saved_model)
    answer = sess.run("op:0", {"x:0": X})
""",
    "saved_model.loader and its signature": """
with v1.Session(graph=tf.Graph()) as sess:
    meta_graph = v1.saved_model.loader.load(sess, ["serve"], saved_model)
    signature = meta_graph.signature_def["serving_default"]
    answer = sess.run(signature.outputs["op"].name, {signature.inputs["x"].name: X})
""",
    "tf.saved_model.load": """
model = tf.saved_model.load(saved_model)
answer = model.signatures["serving_default"](tf.constant(X))["op"].numpy()
""",
}

PROGRAM = """
import glob, json, os, sys, traceback
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
v1 = tf.compat.v1
run = sys.argv[1]
latest = tf.train.latest_checkpoint(run + "/checkpoints")
pb = run + "/export/frozen/model.pb"
saved_model = max(glob.glob(run + "/export/saved_model/*"))
X, Y = np.float32([[0.0], [1.0]]), np.float32([[1.0], [4.0]])
for name, snippet in json.load(sys.stdin).items():
    names = dict(globals())
    try:
        exec(snippet, names)
        said = np.asarray(names["answer"]).ravel().tolist()
    except Exception:
        said = traceback.format_exc()
    print("ANSWER", json.dumps([name, said]))
assert not any(name.split(".")[0] in ("trainer", "callbacks") for name in sys.modules)
"""


@pytest.fixture(scope="module")
def answers(linear_run) -> dict[str, object]:
    """Results of all snippets, from one process."""
    run, _ = linear_run
    done = python("-c", PROGRAM, str(run), cwd=run.parent, ours=False, stdin=json.dumps(SNIPPETS))
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    return dict(json.loads(line.removeprefix("ANSWER")) for line in lines)


@pytest.mark.parametrize("name", SNIPPETS)
def test_runs_as_it_stands(answers, name) -> None:
    assert not isinstance(answers[name], str), answers[name]
    assert answers[name] == pytest.approx([1.0, 4.0], abs=0.05)
