"""Warm starts from files of weights of every kind, made by plain TensorFlow, Keras and NumPy."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import Line, points, run, variables
from trainer.checkpoints.restoring.weight_readers import open_weights
from trainer.checkpoints.weight_files import weights_at
from trainer.errors import CheckpointError, RequestError
from trainer.models.keras_model import KerasModel
from trainer.training import initial_values
from trainer.warm_start import WarmStart

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
v1, layers = tf.compat.v1, keras.layers


def net(units=3):
    x = keras.Input((2,), name="x")
    hidden = layers.LayerNormalization()(layers.Dense(4, "tanh")(layers.Dense(units)(x)))
    body = keras.Sequential([layers.Dense(3), layers.Dropout(0.1)])
    return keras.Model(x, layers.Dense(1, name="last")(body(hidden)))


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.blocks, self.last = [layers.Dense(3), layers.Dense(3)], layers.Dense(1)

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.last(x)


def other_program(make, before):
    """Returns a net with random weights, in a process that made others before."""
    keras.utils.clear_session()
    for _ in range(before):
        make()
    made = make()
    made(points().inputs["x"])
    random = np.random.default_rng(3)
    for weight in made.weights:
        weight.assign(random.normal(size=weight.shape))
    return made


def h5(made, folder):
    made.save_weights(folder / "w.weights.h5")
    return folder / "w.weights.h5"


def whole(made, folder):
    made.compile("adam", "mse")
    made.save(folder / "w.keras")
    return folder / "w.keras"


def npz(made, folder):
    np.savez(folder / "w.npz", **{each.path: each.numpy() for each in made.weights})
    return folder / "w.npz"


def of_keras_2(made, folder):
    """Writes names as Keras 2 did."""
    with h5py.File(folder / "w.h5", "w") as file:
        file.attrs["layer_names"] = [each.path.rpartition("/")[0].encode() for each in made.weights[::2]]
        for each in made.weights:
            group = file.require_group(each.path.rpartition("/")[0])
            names = [*group.attrs.get("weight_names", []), f"{each.path}:0".encode()]
            group.attrs["weight_names"] = np.array(names, "S99")
            group[f"{each.path}:0"] = each.numpy()
    return folder / "w.h5"


def objects(made, folder):
    return tf.train.Checkpoint(model=made, optimizer=keras.optimizers.Adam()).save(str(folder / "objects"))


def saved_model(made, folder):
    made.export(folder / "saved", verbose=False)
    return folder / "saved"


def of_modules(made, folder):
    tf.saved_model.save(made, str(folder / "7"))
    return folder


KINDS = [h5, whole, npz, of_keras_2, objects, saved_model, of_modules]


BY_PATH = [h5, npz, of_keras_2]
ROWS = [*((net, each) for each in KINDS), *((Subclassed, each) for each in BY_PATH)]


def started(directory, path, make=net, **settings):
    """Returns the variables of a run that takes no step of any size."""
    run(
        directory,
        epochs=1,
        make_model=lambda: KerasModel(make, "mse"),
        make_optimizer=lambda *_: keras.optimizers.SGD(1e-30),
        warm_start=WarmStart(path, **settings),
    )
    return variables(directory / "checkpoints/model-1")


# The layers of a subclassed model share one name in TensorFlow's own files.
@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize(("make", "write"), ROWS)
def test_all_weights_are_those_of_the_file(make, write, before, tmp_path) -> None:
    made = other_program(make, before)
    (tmp_path / "file").mkdir()
    path = write(made, tmp_path / "file")
    found = started(tmp_path / "run", path, make)
    keras.utils.clear_session()
    again = make()
    again(points().inputs["x"])
    for here, there in zip(again.weights, made.weights, strict=True):
        assert found[here.path].tobytes() == there.numpy().tobytes(), here.path


class Two(keras.Model):
    def __init__(self):
        super().__init__()
        self.first, self.last = layers.Dense(3), layers.Dense(1)

    def call(self, x):
        return self.last(self.first(x))


def test_names_that_several_variables_share_give_way_to_their_places(tmp_path) -> None:
    made = other_program(Two, 0)
    path = objects(made, tmp_path)
    with pytest.raises(RequestError, match=r"the file has:  .*model/first/_kernel.*\nmap names"):
        started(tmp_path / "run", path, Two)
    names = {"model/first/_*": "two/dense/*", "model/last/bias": "two/dense_1/bias"}
    found = started(tmp_path / "run", path, Two, variables=names)
    assert found["two/dense/kernel"].tobytes() == made.first.kernel.numpy().tobytes()
    assert found["two/dense_1/bias"].tobytes() == made.last.bias.numpy().tobytes()


def frozen(folder):
    with tf.Graph().as_default() as graph, v1.Session() as session:
        Line()({"x": v1.placeholder(tf.float32, [None, 2], "x")}, training=False)
        session.run(v1.global_variables_initializer())
        session.run([v1.assign(each, tf.ones_like(each) * 7) for each in v1.global_variables()])
        nodes = [op.name for op in graph.get_operations() if op.type == "AddV2"][-1:]
        made = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), nodes)
    (folder / "line.pb").write_bytes(made.SerializeToString())
    return folder / "line.pb"


def of_graph_mode(folder):
    with tf.Graph().as_default(), v1.Session() as session:
        model = Line()
        x = v1.placeholder(tf.float32, [None, 2], "x")
        y = model({"x": x}, training=False)["op"]
        session.run(v1.global_variables_initializer())
        session.run([v1.assign(each, tf.ones_like(each) * 7) for each in v1.global_variables()])
        v1.saved_model.simple_save(session, str(folder / "old"), {"x": x}, {"y": y})
    return folder / "old"


@pytest.mark.parametrize("write", [frozen, of_graph_mode])
@pytest.mark.parametrize(
    ("settings", "taken"),
    [({}, {"w", "b"}), ({"variables": ["w"]}, {"w"}), ({"exclude": ["w"]}, {"b"}), ({"variables": {"w": "w"}}, {"w"})],
)
def test_names_and_patterns_choose_what_is_taken(write, settings, taken, tmp_path) -> None:
    path = write(tmp_path)
    run(
        tmp_path / "run",
        epochs=1,
        make_optimizer=lambda *_: keras.optimizers.SGD(1e-30),
        warm_start=WarmStart(path, **settings),
    )
    found = variables(tmp_path / "run/checkpoints/model-1")
    assert {name for name in ("w", "b") if (found[name] == 7).all()} == taken


def damaged(name, data=b"nothing of the kind"):
    def write(folder):
        (folder / name).write_bytes(data)
        return folder / name

    return write


def one_array(folder):
    np.save(folder / "w.npy", np.ones(3))
    (folder / "w.npy").rename(folder / "w.npz")
    return folder / "w.npz"


def named(**arrays):
    def write(folder):
        np.savez(folder / "w.npz", **arrays)
        return folder / "w.npz"

    return write


def without_variables(folder):
    tf.saved_model.save(tf.Module(), str(folder / "empty"))
    for file in (folder / "empty/variables").iterdir():
        file.unlink()
    return folder / "empty"


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (damaged("w.npz"), r"w.npz cannot be read as .npz"),
        (damaged("w.weights.h5"), r"w.weights.h5 cannot be read as .h5"),
        (damaged("w.keras"), r"w.keras cannot be read as .keras"),
        (damaged("w.pb"), r"w.pb is not a GraphDef"),
        (one_array, "it is one array, and has no names"),
        (named(), "holds no weights"),
        (named(w=np.ones((3, 1), "f4"), b=np.ones(1, "f4")), r"w: graph float32 \[2, 1\], file float32 \[3, 1\]"),
        (named(w=np.ones((2, 1)), b=np.ones(1, np.float32)), r"w: graph float32 \[2, 1\], file float64 \[2, 1\]"),
        (named(weight=np.ones((2, 1), np.float32)), "has no variable of the model\n  the model has: b, w\n.*weight"),
        (without_variables, "a SavedModel without variables"),
    ],
)
def test_a_wrong_file_is_refused_by_name(write, message, tmp_path) -> None:
    with pytest.raises((RequestError, CheckpointError), match=message):
        run(tmp_path / "run", warm_start=WarmStart(write(tmp_path)))
    assert not (tmp_path / "run").exists()


def test_no_call_into_the_session_for_each_variable(tmp_path, monkeypatch) -> None:
    calls = []
    own = v1.Session.run
    monkeypatch.setattr(v1.Session, "run", lambda self, *given, **more: calls.append(1) or own(self, *given, **more))
    made = other_program(lambda: keras.Sequential([keras.Input((2,)), *(layers.Dense(2) for _ in range(20))]), 0)
    path = h5(made, tmp_path)
    keras.utils.clear_session()
    with tf.Graph().as_default(), v1.Session() as session:
        model = keras.Sequential([keras.Input((2,)), *(layers.Dense(2) for _ in range(20))])
        declared = {each.value.op.name: each.value for each in model.weights}
        assert set(open_weights(path, model).tensors) <= set(declared) | {"optimizer/vars/0", "optimizer/vars/1"}
        del session
    assert not calls


def test_what_is_no_file_of_weights_is_left_to_the_checkpoints(tmp_path) -> None:
    assert weights_at(tmp_path) is None
    assert weights_at(tmp_path / "none.npz") is None
    assert initial_values.weights_at is weights_at
