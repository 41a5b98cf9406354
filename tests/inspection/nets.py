"""Nets whose pictures are checked: graphs of TensorFlow 1, SavedModels of functions, and Keras models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf
from keras import layers

v1 = tf.compat.v1


def saved(name: str, folder: Path) -> Path:
    """Returns the path of a net in the folder."""
    if name in KERAS:
        path = folder / name
        model = KERAS[name]()
        tf.saved_model.save(model, str(path)) if name == "saved" else model.export(str(path), verbose=False)
        return path
    if name == "nested":
        net = Nested()
        tf.saved_model.save(net, str(folder / name), net.call.get_concrete_function(tf.TensorSpec([None, 4], name="x")))
        return folder / name
    with tf.Graph().as_default() as graph:
        GRAPHS[name]()
    (folder / f"{name}.pb").write_bytes(graph.as_graph_def().SerializeToString())
    return folder / f"{name}.pb"


class Nested(tf.Module):
    """A function that calls another three times, and a conditional."""

    def __init__(self) -> None:
        super().__init__()
        self.w = tf.Variable(tf.ones([4, 4]), name="w")

    @tf.function
    def inner(self, x):
        return tf.nn.relu(x @ self.w)

    @tf.function
    def call(self, x):
        sign = tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: -x)
        return {"y": self.inner(self.inner(x)) + self.inner(x), "sign": sign}


def wide() -> None:
    columns = []
    for i in range(1, 121):
        x = v1.placeholder(tf.float32, [None, 1], name=f"column_{i}")
        with tf.name_scope(f"input_layer/column_{i}"):
            columns.append(tf.math.log(x + 1))
    h = tf.concat(columns, 1, name="input_layer/concat")
    for i in range(3):
        with tf.name_scope(f"dnn/hidden_{i}"):
            h = tf.nn.relu(tf.matmul(h, tf.ones([h.shape[1], 32])))
    tf.nn.softmax(h, name="probabilities")


def names() -> None:
    words = ["age", "sex", "fare", "class", "deck", "alone", "town", "parch", "sibs"]
    words += ["title", "cabin", "weight", "height", "income", "city", "state", "zip", "plan"]
    everything = [tf.math.log(v1.placeholder(tf.float32, [None, 1], name=name)) for name in words]
    y = tf.concat(everything, 1, name="everything")
    for word in words:
        tf.matmul(y, tf.ones([len(words), 2]), name=f"{word}_head")


def siamese() -> None:
    kernel, outputs = tf.ones([16, 16], name="kernel"), []
    for side in ("left", "right"):
        x = v1.placeholder(tf.float32, [None, 16], name=side)
        with tf.name_scope("tower"):
            outputs.append(tf.nn.relu(x @ kernel))
    tf.reduce_sum(outputs[0] * outputs[1], 1, name="similarity")


def flags() -> None:
    h = v1.placeholder(tf.float32, [None, 8, 8, 3], name="x")
    training = v1.placeholder(tf.bool, name="is_training")
    keep = v1.placeholder_with_default(1.0, [], name="keep_prob")
    for i in range(4):
        with tf.name_scope(f"layer{i}"):
            h = tf.nn.conv2d(h, tf.ones([3, 3, h.shape[-1], 8]), 1, "SAME")
            h = old_conditional(training, h, keep)
            h = tf.nn.relu(h)
    tf.reduce_mean(h, [1, 2], name="features")


def old_conditional(training, h, keep):
    """Returns a dropout in training, with the ops Switch and Merge of TensorFlow 1."""
    off, on = tf.raw_ops.Switch(data=h, pred=training)
    on = on * tf.cast(tf.random.uniform(tf.shape(on)) < keep, tf.float32) / keep
    return tf.raw_ops.Merge(inputs=[off, on])[0]


def circle() -> None:
    with tf.name_scope("a"):
        first = tf.exp(v1.placeholder(tf.float32, [None, 4], name="x"))
    with tf.name_scope("b"):
        second = tf.sin(first)
    with tf.name_scope("a/"):
        third = tf.cos(second)
    with tf.name_scope("b/"):
        fourth = tf.tan(third)
    tf.add(second, fourth, name="y")


def flat() -> None:
    h = v1.placeholder(tf.float32, [None, 8], name="x")
    for _ in range(1_000):
        h = tf.nn.relu(tf.matmul(h, tf.ones([8, 8])))
    tf.identity(h, name="y")


def every_layer_reads_all() -> None:
    found = [v1.placeholder(tf.float32, [None, 8], name="x")]
    for i in range(20):
        found.append(tf.nn.relu(tf.matmul(tf.concat(found, 1), tf.ones([8 * (i + 1), 8]))))
    tf.identity(found[-1], name="y")


GRAPHS: dict[str, Callable[[], None]] = {
    "wide": wide,
    "names": names,
    "siamese": siamese,
    "flags": flags,
    "circle": circle,
    "flat": flat,
    "every_layer_reads_all": every_layer_reads_all,
    "nested": lambda: None,
}


def residual() -> keras.Model:
    inputs = keras.Input([8, 8, 3], name="image")
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    x = layers.Conv2D(4, 3, padding="same", name="stem")(inputs)
    for i in range(3):
        y = layers.ReLU(name=f"block{i}_relu")(layers.Conv2D(4, 3, padding="same", name=f"block{i}_conv")(x))
        x = layers.Add(name=f"block{i}_add")([x, shared(y)])
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, [layers.Dense(10, name="logits")(x), layers.Dense(1, name="value")(x)])


class Subclassed(keras.Model):
    """A model without the names of a functional one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = layers.Dense(8, activation="relu"), layers.Dense(8)

    def call(self, x):
        h = self.first(x)
        return h + self.second(self.second(h))


def subclassed() -> keras.Model:
    model = Subclassed()
    model(tf.zeros([1, 4]))
    return model


def transformer() -> keras.Model:
    inputs = keras.Input([16], dtype="int32", name="tokens")
    x = layers.Embedding(100, 32)(inputs)
    for i in range(4):
        x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 8, name=f"attention_{i}")(x, x))
        x = layers.LayerNormalization()(x + layers.Dense(32)(layers.Dense(64, activation="gelu")(x)))
    return keras.Model(inputs, layers.Dense(100, name="head")(x))


def lstm() -> keras.Model:
    inputs = keras.Input([None, 8], name="frames")
    x = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(inputs)
    return keras.Model(inputs, layers.Dense(2)(layers.LSTM(16)(x)))


KERAS: dict[str, Callable[[], keras.Model]] = {
    "residual": residual,
    "saved": residual,
    "subclassed": subclassed,
    "transformer": transformer,
    "lstm": lstm,
    "mobilenet": lambda: keras.applications.MobileNetV2(weights=None),
}
