"""A frozen graph as a part of a new one: constant, or with some of its constants variables again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import assert_same_bits, run, variables
from tests.processes import python
from tests.trunks.nets import UNITS, Head, constants, freeze, net, train_on, with_exports
from trainer.errors import RequestError
from trainer.graphdef.graph_file import read_graph
from trainer.trunks.trunk import Trunk

v1 = tf.compat.v1
BOTH = """
import sys
import numpy as np
import tensorflow as tf
v1 = tf.compat.v1
x = np.random.default_rng(3).normal(size=(7, 2)).astype(np.float32)
def features(file, name):
    graph_def = v1.GraphDef.FromString(open(file, "rb").read())
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(name, {"x:0": x}), {n.name: n for n in graph_def.node}
alone, trunk = features(sys.argv[1], "features:0")
inside, whole = features(sys.argv[2], "trunk/features:0")
assert alone.tobytes() == inside.tobytes() and alone.any()
for name in ("dense/kernel", "dense/bias"):
    own, other = (tf.make_ndarray(n.attr["value"].tensor) for n in (trunk[name], whole["trunk/" + name]))
    assert own.tobytes() == other.tobytes() and own.size >= 300
assert "op" in whole and whole["head/w"].op == "Const" and "trunk/other" not in whole
"""


def test_the_head_trains_and_the_whole_holds_the_trunk_bit_for_bit(trunk_file, on_trunk, tmp_path) -> None:
    stored = variables(on_trunk / "checkpoints/model-2")
    assert np.abs(stored["head/w"]).max() > 0
    assert not [name for name in stored if "dense" in name]
    whole = on_trunk / "export/frozen/model.pb"
    done = python("-c", BOTH, str(trunk_file), str(whole), cwd=tmp_path, ours=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (told,) = json.loads(whole.with_suffix(".json").read_text())["trunks"]
    assert (told["prefix"], told["variables"], told["outputs_compared"]) == ("trunk", [], True)
    assert told["constants_compared"] >= 2
    assert json.loads((on_trunk / "run.json").read_text())["trunks"][0]["sha256"] == told["sha256"]


def test_a_large_constant_is_in_the_graph_once(trunk_file, on_trunk) -> None:
    """Though it is used in the inference part, in the steps and in ``train_step``."""
    kernel = constants(trunk_file)["dense/kernel"].tobytes()
    assert (on_trunk / "checkpoints/model.meta").read_bytes().count(kernel) == 1


@pytest.mark.parametrize("mode", ["off", "xla"])
def test_it_resumes_bit_for_bit(trunk_file, tmp_path, mode) -> None:
    changes: dict[str, Any] = {"compile": mode, "callbacks": None, "trunk": {"trainable": ["dense/bias"]}}
    train_on(trunk_file, tmp_path / "straight", epochs=3, **changes)
    train_on(trunk_file, tmp_path / "twice", epochs=1, **changes)
    train_on(trunk_file, tmp_path / "twice", epochs=3, **changes)
    assert_same_bits(tmp_path / "straight/checkpoints/model-3", tmp_path / "twice/checkpoints/model-3")


def test_constants_become_variables_are_trained_and_frozen_again(trunk_file, tmp_path) -> None:
    before = constants(trunk_file)
    directory = train_on(trunk_file, tmp_path / "run", trunk={"trainable": ["*/kernel"]}, epochs=3)
    stored = variables(directory / "checkpoints/model-3")
    trained = stored["trunk/dense/kernel"]
    assert trained.shape == before["dense/kernel"].shape
    assert not np.array_equal(trained, before["dense/kernel"])
    assert np.abs(trained - before["dense/kernel"]).max() < 2
    assert len([name for name in stored if "dense_kernel" in name]) == 2  # its slots
    whole = directory / "export/frozen/model.pb"
    after = constants(whole)
    assert after["trunk/dense/kernel"].tobytes() == trained.tobytes()
    assert after["trunk/dense/bias"].tobytes() == before["dense/bias"].tobytes()
    assert not {node.op for node in read_graph(whole).node} & {"VarHandleOp", "ReadVariableOp"}
    (told,) = json.loads(whole.with_suffix(".json").read_text())["trunks"]
    assert told["variables"] == ["dense/kernel"]
    assert told["outputs_compared"] is False
    # With a rate of nothing it is what it was: the variable begins with the constant's bits.
    still = {"make_optimizer": lambda *_: v1.train.GradientDescentOptimizer(0.0), "callbacks": None}
    train_on(trunk_file, tmp_path / "still", trunk={"trainable": ["*/kernel"]}, epochs=1, **still)
    kept = variables(tmp_path / "still/checkpoints/model-1")["trunk/dense/kernel"]
    assert kept.tobytes() == before["dense/kernel"].tobytes()


class Deeper:
    """A head on the trunk's trunk: what was frozen again is a trunk like any other."""

    def __init__(self, file: Path) -> None:
        self.trunk = Trunk(path=str(file), outputs=["trunk/features:0"], prefix="again", trainable=["trunk/*"])
        self.trunk.build()
        self.w = v1.get_variable("w", [UNITS, 1], initializer=v1.zeros_initializer())

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.trunk(inputs)["trunk/features"] @ self.w}

    loss = Head.loss


def test_a_frozen_whole_is_a_trunk_again(trunk_file, tmp_path) -> None:
    first = train_on(trunk_file, tmp_path / "first", trunk={"trainable": ["*/kernel"]})
    run(tmp_path / "second", with_exports(), make_model=lambda: Deeper(first / "export/frozen/model.pb"), epochs=1)
    assert "again/trunk/dense/kernel" in variables(tmp_path / "second/checkpoints/model-1")
    assert "again/trunk/dense/kernel" in constants(tmp_path / "second/export/frozen/model.pb")


def test_another_file_under_the_same_name_is_refused_at_a_resume(tmp_path) -> None:
    file = freeze(tmp_path / "old.pb", net, ["features"])
    train_on(file, tmp_path / "run", epochs=1, callbacks=None)
    graph_def = read_graph(file)
    kernel = next(node for node in graph_def.node if node.name == "dense/kernel")
    kernel.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(constants(file)["dense/kernel"] + 1))
    file.write_bytes(graph_def.SerializeToString())
    with pytest.raises(RequestError, match="is not the one that this run started with"):
        train_on(file, tmp_path / "run", epochs=2, callbacks=None)
    file.unlink()
    with pytest.raises(RequestError, match=r"trunk\.path: there is no"):
        train_on(file, tmp_path / "run", epochs=2, callbacks=None)


def unfrozen(file: Path) -> Path:
    with tf.Graph().as_default() as graph:
        net()
    file.write_bytes(graph.as_graph_def().SerializeToString())
    return file


WRONG = [
    ({"path": "no/such.pb"}, "trunk.path: there is no no/such.pb"),
    ({"path": "EMPTY"}, "is empty"),
    ({"path": "TEXT"}, "is not a GraphDef"),
    ({"path": "UNFROZEN"}, "still has variables (dense/"),
    ({"path": "FOLDER"}, "has no run with a frozen graph"),
    ({"outputs": ["featurs"]}, "trunk.outputs: the graph has no node 'featurs'; did you mean features?"),
    ({"outputs": ["zzz"]}, "likely ones: features, other"),
    ({"outputs": []}, "trunk.outputs is empty"),
    ({"outputs": ["features", "dense/kernel"]}, "'dense/kernel' is a constant; name what is computed"),
    ({"outputs": ["dense/kernel/read"]}, "depend on no input"),
    ({"outputs": "features"}, "must be a list of names"),
    ({"input_map": {"zz": "x"}}, "trunk.input_map: the outputs do not need the placeholder 'zz'; there are: keep, x"),
    ({"input_map": {"keep": "x"}}, "trunk.input_map lacks x, which the outputs need"),
    ({"input_map": {"x": "image"}}, "the data has no input 'image'; there are: x"),
    ({"input_map": {"x": "x", "keep": "x"}}, "takes keep float32 [], and the data has x float32 [batch, 2]"),
    ({"prefix": "a/b"}, "prefix ('a/b') must be"),
    ({"prefix": "x"}, "prefix ('x') is already a scope of the graph"),
    ({"trainable": ["dense/kernl"]}, "'dense/kernl' matches no constant of the trunk; did you mean dense/kernel?"),
    ({"trainable": ["head/*"]}, "'head/*' matches no constant of the trunk; there are: dense/*"),
]


@pytest.mark.parametrize(("wrong", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_a_mistake_is_refused_before_anything_is_made(wrong, message, tmp_path_factory, trunk_file) -> None:
    place = tmp_path_factory.mktemp("wrong")
    made = {"EMPTY": place / "empty.pb", "TEXT": place / "text.pb", "FOLDER": place}
    made["EMPTY"].touch()
    made["TEXT"].write_text("this is no graph")
    path = str(wrong.get("path", trunk_file))
    file = unfrozen(place / "graph.pb") if path == "UNFROZEN" else made.get(path, path)
    settings = {"outputs": ["features"], **wrong, "path": str(file)}
    with tf.Graph().as_default(), pytest.raises((RequestError, ValueError, TypeError)) as refused:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        trunk = Trunk(**settings)
        trunk.build()
        trunk({"x": x})
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) < 10


def embedding() -> None:
    """A look-up by ids and a loop: what a trunk may hold besides products."""
    ids = v1.placeholder(tf.int32, [None], name="ids")
    table = v1.get_variable("table", [50, 8], use_resource=True, initializer=v1.random_normal_initializer(seed=1))
    rows = tf.nn.embedding_lookup(table, ids)
    tf.identity(tf.while_loop(lambda i, _: i < 3, lambda i, r: (i + 1, r * 1.5), [0, rows])[1], name="rows")


def test_a_look_up_and_a_loop(tmp_path) -> None:
    file = freeze(tmp_path / "old.pb", embedding, ["rows"])
    values = {}
    for trainable in ([], ["table"]):
        with tf.Graph().as_default(), v1.Session() as session:
            trunk = Trunk(path=str(file), outputs=["rows"], input_map={"ids": "word"}, trainable=trainable)
            trunk.build()
            word = v1.placeholder(tf.int32, [None], name="word")
            rows = tf.function(lambda word, trunk=trunk: trunk({"word": word})["rows"], autograph=False)(word)
            session.run(v1.global_variables_initializer())
            values[bool(trainable)] = session.run([rows, trunk({"word": word})["rows"]], {word: [3, 4, 3]})
    expected = constants(file)["table"][[3, 4, 3]] * np.float32(1.5) ** 3
    for each in (*values[False], *values[True]):
        np.testing.assert_allclose(each, expected, rtol=1e-6)


def loop_net() -> None:
    """A recurrent net with a loop of TensorFlow 1: features = the state after five steps."""
    v1.disable_control_flow_v2()
    try:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        keep_prob = v1.placeholder(tf.float32, name="keep_prob")
        w = v1.get_variable("w", [2, UNITS], initializer=v1.random_normal_initializer(seed=1))
        u = v1.get_variable("u", [UNITS, UNITS], initializer=v1.random_normal_initializer(stddev=0.05, seed=2))
        states = v1.TensorArray(tf.float32, 5)

        def step(i: Any, state: Any, states: Any) -> Any:
            state = tf.tanh(x @ w + state @ u)
            return i + 1, state, states.write(i, state)

        first = tf.zeros([tf.shape(x)[0], UNITS])
        loop = v1.while_loop(lambda i, *_: i < 5, step, [0, first, states])
        tf.multiply(tf.reshape(loop[2].stack()[-1], [-1, UNITS]), keep_prob, name="features")
    finally:
        v1.enable_control_flow_v2()


@pytest.fixture(scope="module")
def loop_file(tmp_path_factory) -> Path:
    return freeze(tmp_path_factory.mktemp("loop") / "model.pb", loop_net, ["features"])


@pytest.mark.parametrize("mode", ["auto", "off"])
def test_loops_of_tensorflow_1_train_as_a_trunk(loop_file, tmp_path, mode) -> None:
    assert any(node.op == "Enter" for node in read_graph(loop_file).node)
    train_on(loop_file, tmp_path / "straight", epochs=2, compile=mode)
    train_on(loop_file, tmp_path / "twice", epochs=1, compile=mode)
    train_on(loop_file, tmp_path / "twice", epochs=2, compile=mode)
    assert_same_bits(tmp_path / "straight/checkpoints/model-2", tmp_path / "twice/checkpoints/model-2")
    whole = tmp_path / "straight/export/frozen/model.pb"
    assert variables(tmp_path / "straight/checkpoints/model-2")["head/w"].any()
    (told,) = json.loads(whole.with_suffix(".json").read_text())["trunks"]
    assert told["outputs_compared"] is True


def test_nothing_is_trained_through_them(loop_file, tmp_path) -> None:
    with pytest.raises(RequestError, match=r"trunk\.trainable: .* has loops of TensorFlow 1"):
        train_on(loop_file, tmp_path / "run", trunk={"trainable": ["w"]})
    assert not (tmp_path / "run").exists()


def test_flags_have_the_value_of_a_prediction_or_a_given_one(loop_file, tmp_path) -> None:
    def features(**trunk: Any) -> Any:
        with tf.Graph().as_default(), v1.Session() as session:
            trunk = Trunk(path=str(loop_file), outputs=["features"], **trunk)
            trunk.build()
            inputs = {"x": tf.constant([[1.0, 2.0]]), "kept": tf.constant(0.25)}
            return session.run(trunk(inputs)["features"])

    whole = features()
    assert whole.any()
    np.testing.assert_allclose(features(constants={"keep_prob": 0.5}), 0.5 * whole, rtol=1e-6)
    np.testing.assert_allclose(features(input_map={"x": "x", "keep_prob": "kept"}), 0.25 * whole, rtol=1e-6)
    for constants_, message in (
        ({"keep_pro": 1}, r"trunk\.constants: .*'keep_pro'; did you mean keep_prob\?"),
        ({"keep_prob": "all"}, r"trunk\.constants: keep_prob \('all'\) must be of the type float32"),
    ):
        with pytest.raises(RequestError, match=message):
            features(constants=constants_)
