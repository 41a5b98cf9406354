"""Small nets, one of each kind that people bring; a new kind is one class and its name in ``NETS``."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf

from trainer.data.arrays import Arrays, InMemory
from trainer.data.streamed import Streamed

v1 = tf.compat.v1

EXAMPLES = 40


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def normal(name: str, shape: list[int], scale: float = 0.3) -> Any:
    """Returns a variable as code of ten years ago makes it."""
    return v1.get_variable(name, shape, initializer=v1.random_normal_initializer(0.0, scale, seed=sum(shape)))


class Net:
    """Net with one output ``out`` [batch, 1] of one input ``x``, and a squared loss.

    A subclass states what does not hold for its kind, in words; '' where everything holds.
    """

    no_reference: ClassVar[str] = ""
    """Reason why no plain loop in eager mode can be the reference."""
    tolerance: ClassVar[float] = 1e-5
    """Relative difference to the reference that roundings explain."""
    reference_steps: ClassVar[int] = 3
    """Steps of gradient descent that are compared with the reference."""
    slow: ClassVar[bool] = False

    @staticmethod
    def arrays() -> Arrays:
        x = rng().normal(size=(EXAMPLES, 6)).astype(np.float32)
        return Arrays({"x": x}, {"y": np.tanh(x[:, :1])})

    @classmethod
    def data(cls, batch_size: int = 8, shuffle: bool = True) -> Any:
        return InMemory(cls.arrays(), batch_size, shuffle=shuffle)

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(tf.cast(outputs["out"], tf.float32) - labels["y"]))


class Images(Net):
    """Net on small images."""

    @staticmethod
    def arrays() -> Arrays:
        x = rng().normal(size=(EXAMPLES, 8, 8, 2)).astype(np.float32)
        return Arrays({"x": x}, {"y": x.mean((1, 2, 3))[:, None]})


class Series(Net):
    """Net on series of 5 steps."""

    @staticmethod
    def arrays() -> Arrays:
        x = rng().normal(size=(EXAMPLES, 5, 3)).astype(np.float32)
        x[::3, 3:] = 0
        return Arrays({"x": x}, {"y": x.sum((1, 2))[:, None] / 5})


class Ids(Net):
    """Net on three integers of an example, each less than 12."""

    @staticmethod
    def arrays() -> Arrays:
        x = rng().integers(0, 12, size=(EXAMPLES, 3)).astype(np.int64)
        return Arrays({"x": x}, {"y": (x.sum(1, keepdims=True) / 30).astype(np.float32)})


class Words(Net):
    """Net on one word of an example, and classes as labels."""

    words: ClassVar[list[str]] = ["ant", "bee", "cat", "dog", "eel"]

    @staticmethod
    def arrays() -> Arrays:
        ids = rng().integers(0, 5, EXAMPLES)
        return Arrays({"x": np.array(Words.words)[ids]}, {"y": (ids % 2).astype(np.int64)})

    def __init__(self) -> None:
        self.table = normal("table", [8, 4])
        self.w = normal("w", [4, 2])

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"out": tf.nn.embedding_lookup(self.table, self.ids(inputs["x"])) @ self.w}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels["y"], outputs["out"]))


class Layers(Net):
    """Net of Keras layers on the input."""

    def __init__(self) -> None:
        self.net = keras.Sequential(self.layers())

    def layers(self) -> list[Any]:
        return [keras.layers.Dense(4, activation="relu"), keras.layers.Dense(1)]

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"out": self.net(inputs["x"], training=training)}


class Dense(Net):
    def __init__(self) -> None:
        self.w, self.v = normal("w", [6, 4]), normal("v", [4, 1])

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"out": tf.tanh(inputs["x"] @ self.w) @ self.v}


class Convolution(Images):
    def __init__(self) -> None:
        self.kernel, self.w = normal("kernel", [3, 3, 2, 4]), normal("w", [4, 1])

    def __call__(self, inputs: Any, training: bool) -> Any:
        maps = tf.nn.max_pool2d(tf.nn.relu(tf.nn.conv2d(inputs["x"], self.kernel, 1, "SAME")), 2, 2, "VALID")
        return {"out": tf.reduce_mean(maps, [1, 2]) @ self.w}


class KerasConvolution(Images, Layers):
    def layers(self) -> list[Any]:
        each = keras.layers
        return [each.Conv2D(4, 3, activation="relu"), each.MaxPooling2D(), each.Flatten(), each.Dense(1)]


class UpAndDown(Images, Layers):
    """Convolutions that halve the image and double it again."""

    def layers(self) -> list[Any]:
        each = keras.layers
        up = each.Conv2DTranspose(2, 3, strides=2, padding="same")
        return [each.SeparableConv2D(3, 3, strides=2, padding="same"), up, each.GlobalAveragePooling2D(), each.Dense(1)]


class BatchNormalization(Layers):
    def layers(self) -> list[Any]:
        each = keras.layers
        # A bias before the normalisation would have a gradient of roundings alone, which Adam makes large.
        return [each.Dense(4, use_bias=False), each.BatchNormalization(), each.ReLU(), each.Dense(1)]


class NormalizationByHand(Net):
    """Moving averages by assign ops in a collection, as before there were layers."""

    def __init__(self) -> None:
        self.w, self.v = normal("w", [6, 4]), normal("v", [4, 1])
        self.mean = v1.get_variable("moving_mean", [4], initializer=v1.zeros_initializer(), trainable=False)
        self.variance = v1.get_variable("moving_variance", [4], initializer=v1.ones_initializer(), trainable=False)

    def __call__(self, inputs: Any, training: bool) -> Any:
        x = inputs["x"] @ self.w
        mean, variance = self.mean, self.variance
        if training:
            mean, variance = tf.nn.moments(x, [0])
            for old, new in ((self.mean, mean), (self.variance, variance)):
                op = v1.assign(old, 0.9 * old + 0.1 * new)
                if not tf.executing_eagerly():
                    v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, op)
        return {"out": tf.nn.relu((x - mean) * tf.math.rsqrt(variance + 1e-3)) @ self.v}


class LayerNormalization(Layers):
    def layers(self) -> list[Any]:
        each = keras.layers
        return [each.Dense(8), each.LayerNormalization(), each.GroupNormalization(2), each.Dense(1)]


class Lstm(Series, Layers):
    def layers(self) -> list[Any]:
        return [keras.layers.LSTM(4), keras.layers.Dense(1)]


class Gru(Series, Layers):
    def layers(self) -> list[Any]:
        return [keras.layers.GRU(4), keras.layers.Dense(1)]


class Bidirectional(Series, Layers):
    def layers(self) -> list[Any]:
        each = keras.layers
        return [each.Bidirectional(each.LSTM(3, return_sequences=True)), each.LSTM(2), each.Dense(1)]


class Masked(Series, Layers):
    def layers(self) -> list[Any]:
        return [keras.layers.Masking(), keras.layers.LSTM(4), keras.layers.Dense(1)]


class Attention(Series):
    def __init__(self) -> None:
        self.attention = keras.layers.MultiHeadAttention(2, 4)
        self.head = keras.layers.Dense(1)

    def __call__(self, inputs: Any, training: bool) -> Any:
        x = inputs["x"]
        seen = self.attention(x, x, training=training, use_causal_mask=True)
        return {"out": self.head(tf.reduce_mean(x + seen, 1))}


class Embedding(Ids):
    """Table of which each step changes only the rows that it reads."""

    def __init__(self) -> None:
        self.table, self.w = normal("table", [12, 4]), normal("w", [4, 1])

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"out": tf.reduce_mean(tf.nn.embedding_lookup(self.table, inputs["x"]), 1) @ self.w}


class PartitionedTable(Ids):
    no_reference = "eager mode has no partitioned variables"

    def __init__(self) -> None:
        self.table = v1.get_variable(
            "table",
            [12, 4],
            initializer=v1.random_normal_initializer(0.0, 0.3, seed=3),
            partitioner=v1.fixed_size_partitioner(3),
        )
        self.w = normal("w", [4, 1])

    def __call__(self, inputs: Any, training: bool) -> Any:
        rows = v1.nn.embedding_lookup(self.table, inputs["x"], partition_strategy="div")
        return {"out": tf.reduce_mean(rows, 1) @ self.w}


class VocabularyTable(Words):
    def __init__(self) -> None:
        super().__init__()
        initializer = tf.lookup.KeyValueTensorInitializer(self.words, list(range(5)), value_dtype=tf.int64)
        self.lookup = tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets=3)

    def ids(self, words: Any) -> Any:
        return self.lookup.lookup(words)


class HashedStrings(Words):
    def ids(self, words: Any) -> Any:
        return tf.strings.to_hash_bucket_fast(tf.strings.upper(words), 8)


class CondAndWhile(Series):
    """Loop over time with a branch in it, both reading a variable."""

    def __init__(self) -> None:
        self.w = normal("w", [4, 1])

    def __call__(self, inputs: Any, training: bool) -> Any:
        x = inputs["x"]

        def body(t: Any, h: Any) -> Any:
            new = tf.concat([x[:, t], h], 1) @ self.w
            return t + 1, tf.cond(t % 2 > 0, lambda: tf.tanh(new), lambda: new + h)

        shapes = [tf.TensorShape([]), tf.TensorShape([None, 1])]
        start = [0, tf.zeros([tf.shape(x)[0], 1])]
        return {"out": tf.while_loop(lambda t, _: t < 5, body, start, shape_invariants=shapes)[1]}


class RaggedLengths(Net):
    """Rows of different lengths, ragged in the model."""

    @staticmethod
    def arrays() -> Arrays:
        ids = Ids.arrays()
        lengths = rng().integers(1, 4, EXAMPLES).astype(np.int64)
        return Arrays({"x": ids.inputs["x"], "length": lengths}, ids.labels)

    def __init__(self) -> None:
        self.table, self.w = normal("table", [12, 4]), normal("w", [4, 1])

    def __call__(self, inputs: Any, training: bool) -> Any:
        ids = tf.RaggedTensor.from_tensor(inputs["x"], lengths=inputs["length"])
        rows = ids.with_flat_values(tf.gather(self.table, ids.flat_values))
        return {"out": tf.reduce_mean(rows, 1) @ self.w}


class SeveralInputsAndOutputs(Net):
    @staticmethod
    def arrays() -> Arrays:
        plain, ids = Net.arrays(), Ids.arrays()
        inputs = {"numbers": plain.inputs["x"], "ids": ids.inputs["x"]}
        return Arrays(inputs, {"y": plain.labels["y"], "kind": (ids.inputs["x"][:, 0] % 3).astype(np.int32)})

    def __init__(self) -> None:
        self.table, self.w = normal("table", [12, 4]), normal("w", [10, 4])

    def __call__(self, inputs: Any, training: bool) -> Any:
        rows = tf.reduce_mean(tf.nn.embedding_lookup(self.table, inputs["ids"]), 1)
        both = tf.concat([rows, inputs["numbers"]], 1) @ self.w
        return {"out": both[:, :1], "scores": both[:, 1:], "best": tf.argmax(both[:, 1:], 1)}

    def loss(self, outputs: Any, labels: Any) -> Any:
        kinds = tf.nn.sparse_softmax_cross_entropy_with_logits(labels["kind"], outputs["scores"])
        return super().loss(outputs, labels) + 0.5 * tf.reduce_mean(kinds)


class MobileNetV2(Net):
    """Net of some size: 262 variables.

    Each step makes a difference of its values some 1,000 times larger: in eager mode, values that differ by
    roundings (1e-7) are apart by 1e-6 after one step, 3e-3 after two, 4e-2 after three.
    """

    slow = True
    tolerance = 1e-2
    reference_steps = 1

    @staticmethod
    def arrays() -> Arrays:
        x = rng().normal(size=(16, 32, 32, 3)).astype(np.float32)
        return Arrays({"x": x}, {"y": rng().integers(0, 10, 16).astype(np.int32)})

    def __init__(self) -> None:
        shape = {"input_shape": (32, 32, 3), "classes": 10, "alpha": 0.35}
        self.net = keras.applications.MobileNetV2(weights=None, classifier_activation=None, **shape)

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"out": self.net(inputs["x"], training=training)}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels["y"], outputs["out"]))


class Float16(Layers):
    """Products in float16, variables in float32."""

    policy: ClassVar[str] = "mixed_float16"
    no_reference = "its loss is scaled as in Keras, and steps are left out until the scale fits"

    def layers(self) -> list[Any]:
        return [keras.layers.Dense(4, activation="relu", dtype=self.policy), keras.layers.Dense(1, dtype=self.policy)]


class BFloat16(Float16):
    policy = "mixed_bfloat16"
    no_reference = ""
    tolerance = 5e-2


class Float64(Net):
    @staticmethod
    def arrays() -> Arrays:
        single = Net.arrays()
        return Arrays({"x": single.inputs["x"].astype(np.float64)}, single.labels)

    def __init__(self) -> None:
        self.w = v1.get_variable("w", [6, 1], tf.float64, v1.zeros_initializer())

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"out": inputs["x"] @ self.w}


class TiedWeights(Net):
    """Decoder that reads the encoder's weights, transposed."""

    def __init__(self) -> None:
        self.w = normal("w", [6, 3])

    def __call__(self, inputs: Any, training: bool) -> Any:
        code = tf.tanh(inputs["x"] @ self.w)
        return {"code": code, "again": code @ tf.transpose(self.w)}

    @staticmethod
    def arrays() -> Arrays:
        x = Net.arrays().inputs["x"]
        return Arrays({"x": x}, {"y": x})

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["again"] - labels["y"]))


class SharedTowers(Net):
    """Two inputs through the same layers, compared."""

    @staticmethod
    def arrays() -> Arrays:
        x = rng().normal(size=(2, EXAMPLES, 6)).astype(np.float32)
        return Arrays({"left": x[0], "right": x[1]}, {"y": (x[0, :, :1] * x[1, :, :1] > 0).astype(np.float32)})

    def __init__(self) -> None:
        self.tower = keras.Sequential([keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(3)])

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"out": tf.reduce_sum(self.tower(inputs["left"]) * self.tower(inputs["right"]), 1, keepdims=True)}


class Gan(Net):
    """Two nets against each other in one loss; each is held while the other one learns."""

    @staticmethod
    def arrays() -> Arrays:
        return Arrays({"z": Net.arrays().inputs["x"]}, {"y": rng().normal(3, 1, (EXAMPLES, 1)).astype(np.float32)})

    def __init__(self) -> None:
        self.g = [normal("g/a", [6, 4]), normal("g/b", [4, 1])]
        self.d = [normal("d/a", [1, 4]), normal("d/b", [4, 1])]

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"out": tf.nn.relu(inputs["z"] @ self.g[0]) @ self.g[1]}

    def loss(self, outputs: Any, labels: Any) -> Any:
        def judge(x: Any, weights: Any) -> Any:
            return tf.nn.leaky_relu(x @ weights[0]) @ weights[1]

        entropy = tf.nn.sigmoid_cross_entropy_with_logits
        fooled = judge(outputs["out"], [tf.stop_gradient(tf.convert_to_tensor(w)) for w in self.d])
        real, fake = judge(labels["y"], self.d), judge(tf.stop_gradient(outputs["out"]), self.d)
        judged = entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(fake), fake)
        return tf.reduce_mean(entropy(tf.ones_like(fooled), fooled)) + tf.reduce_mean(judged)


class Unlabelled(Net):
    """Autoencoder of data without labels."""

    @staticmethod
    def arrays() -> Arrays:
        return Arrays(Net.arrays().inputs, {})

    def __init__(self) -> None:
        self.w, self.v = normal("w", [6, 2]), normal("v", [2, 6])

    def __call__(self, inputs: Any, training: bool) -> Any:
        error = tf.tanh(inputs["x"] @ self.w) @ self.v - inputs["x"]
        return {"error": tf.reduce_mean(tf.square(error), 1)}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(outputs["error"])


class StatelessDropout(Net):
    """Dropout by the seed that the trainer gives."""

    def __init__(self) -> None:
        self.w, self.v = normal("w", [6, 8]), normal("v", [8, 1])

    def __call__(self, inputs: Any, training: bool, seed: Any) -> Any:
        h = inputs["x"] @ self.w
        return {"out": (tf.nn.experimental.stateless_dropout(h, 0.4, seed) if training else h) @ self.v}


class KerasDropout(Layers):
    def layers(self) -> list[Any]:
        each = keras.layers
        return [each.Dense(8), each.Dropout(0.4, seed=3), each.GaussianNoise(0.1, seed=4), each.Dense(1)]


class Module(Net, tf.Module):
    """Variables of a ``tf.Module`` with a list and a dict of them."""

    def __init__(self) -> None:
        tf.Module.__init__(self)
        self.parts = [tf.Variable(tf.random.stateless_normal([6, 4], [1, i]) * 0.3, name=f"part_{i}") for i in (1, 2)]
        self.heads = {"a": tf.Variable(tf.ones([4, 1]), name="head")}

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"out": tf.add_n([tf.sin(inputs["x"] @ part) for part in self.parts]) @ self.heads["a"]}


class Subclassed(keras.Model, Net):
    """Keras model of a person's own class; its layers are built by the first call."""

    def __init__(self) -> None:
        super().__init__(name="own")
        self.first, self.last = keras.layers.Dense(4, activation="gelu"), keras.layers.Dense(1)

    def call(self, x: Any, training: bool = False) -> Any:
        return self.last(self.first(x))


class SubclassedKeras(Net):
    def __init__(self) -> None:
        self.net = Subclassed()

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"out": self.net(inputs["x"], training=training)}


class CustomGradient(Net):
    """Sign with the gradient of the identity."""

    def __init__(self) -> None:
        self.w, self.v = normal("w", [6, 4]), normal("v", [4, 1])

    def __call__(self, inputs: Any, training: bool) -> Any:
        @tf.custom_gradient
        def sign(x: Any) -> Any:
            return tf.sign(x), lambda upstream: upstream * tf.cast(tf.abs(x) < 1, tf.float32)

        return {"out": sign(inputs["x"] @ self.w) @ self.v}


class Spectrum(Net):
    """Complex numbers on the way."""

    def __init__(self) -> None:
        self.w, self.v = normal("w", [6, 8]), normal("v", [5, 1])

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"out": tf.abs(tf.signal.rfft(inputs["x"] @ self.w)) @ self.v}


class Scan(Series):
    """Cumulative state by ``tf.scan``, and the best two of it."""

    def __init__(self) -> None:
        self.w = normal("w", [3, 1])

    def __call__(self, inputs: Any, training: bool) -> Any:
        steps = tf.transpose(inputs["x"] @ self.w, [1, 0, 2])
        states = tf.scan(lambda h, x: tf.tanh(0.5 * h + x), steps)
        return {"out": tf.reduce_sum(tf.math.top_k(tf.transpose(states[:, :, 0]), 2).values, 1, keepdims=True)}


class Constrained(Net):
    """Weights that the model itself normalises, with a clipped loss."""

    def __init__(self) -> None:
        self.w = normal("w", [6, 1])

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"out": tf.clip_by_value(inputs["x"] @ tf.math.l2_normalize(self.w, 0), -2.0, 2.0)}


class Piped(Dense):
    """Examples of a ``tf.data`` pipeline with a shuffle and a map."""

    @classmethod
    def data(cls, batch_size: int = 8, shuffle: bool = True) -> Any:
        arrays = cls.arrays()

        def dataset() -> Any:
            plain = tf.data.Dataset.from_tensor_slices(({"x": arrays.inputs["x"] / 2}, dict(arrays.labels)))
            mixed = plain.shuffle(16, seed=5) if shuffle else plain
            return mixed.map(lambda inputs, labels: ({"x": 2 * inputs["x"]}, labels), num_parallel_calls=2)

        return Streamed(dataset, batch_size)


NETS: tuple[type[Net], ...] = (
    Dense,
    Convolution,
    KerasConvolution,
    UpAndDown,
    BatchNormalization,
    NormalizationByHand,
    LayerNormalization,
    Lstm,
    Gru,
    Bidirectional,
    Masked,
    Attention,
    Embedding,
    PartitionedTable,
    VocabularyTable,
    HashedStrings,
    CondAndWhile,
    RaggedLengths,
    SeveralInputsAndOutputs,
    MobileNetV2,
    Float16,
    BFloat16,
    Float64,
    TiedWeights,
    SharedTowers,
    Gan,
    Unlabelled,
    StatelessDropout,
    KerasDropout,
    Module,
    SubclassedKeras,
    CustomGradient,
    Spectrum,
    Scan,
    Constrained,
    Piped,
)
