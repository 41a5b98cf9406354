"""Models, callbacks and data whose state a Saver stores in every way that TensorFlow knows."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.training.saving.saveable_object import SaveableObject, SaveSpec

from tests.helpers import dataset
from trainer.callback import Callback, Context
from trainer.schedule import Schedule

v1 = tf.compat.v1


class Base:
    """Model that looks rows of a table up by the sign of its inputs: ``op = table[row] @ w``."""

    def __init__(self) -> None:
        self.table = self.make_table()
        self.w = v1.get_variable("w", [3, 1], initializer=v1.random_normal_initializer(seed=2))
        self.make_more()

    def make_table(self) -> Any:
        return v1.get_variable("table", [10, 3], initializer=v1.random_normal_initializer(seed=1))

    def make_more(self) -> None:
        """Makes what a kind has besides."""

    def __call__(self, inputs: Any, training: bool) -> Any:
        ids = tf.cast(tf.math.floormod(tf.math.floor(inputs["x"][:, 0] * 4), 10), tf.int64)
        rows = tf.nn.embedding_lookup(self.table, ids) if self.is_whole else self.rows(ids)
        return {"op": rows @ self.w + (self.more(ids, training))}

    is_whole: ClassVar[bool] = True

    def rows(self, ids: Any) -> Any:
        return v1.nn.embedding_lookup(self.table, ids, partition_strategy="div")

    def more(self, ids: Any, training: bool) -> Any:
        return 0.0

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))


class Sliced(Base):
    """Table in three parts of unequal size."""

    is_whole = False
    partitioner: ClassVar[Any] = v1.fixed_size_partitioner(3)

    def make_table(self) -> Any:
        return v1.get_variable(
            "scope/table",
            [10, 3],
            initializer=v1.random_normal_initializer(seed=1),
            partitioner=type(self).partitioner,
        )


class SlicedByBytes(Sliced):
    partitioner = v1.variable_axis_size_partitioner(max_shard_bytes=36)


class SlicedByNumber(Sliced):
    partitioner = v1.min_max_variable_partitioner(max_partitions=4, min_slice_size=30)


class SlicedColumns(Sliced):
    """Table that is cut along its second axis."""

    partitioner = v1.fixed_size_partitioner(3, axis=1)

    def rows(self, ids: Any) -> Any:
        return tf.gather(tf.convert_to_tensor(self.table), ids)


class Dtypes(Base):
    """Variables of every dtype that counts in training, of no element, and of no static shape."""

    def make_more(self) -> None:
        values = {
            "half": np.float16([1, 2]),
            "bfloat": np.asarray([1, 2], tf.bfloat16.as_numpy_dtype),
            "double": np.float64(0.5),
            "complex": np.complex64([1 + 2j]),
            "int8": np.int8([1, -1]),
            "uint16": np.uint16([7]),
            "bool": np.array([True, False]),
            "strings": np.array([b"a", b"bc"], object),
            "empty": np.zeros([0, 3], np.float32),
        }
        self.others = [
            v1.get_variable(f"others/{name}", initializer=value, trainable=False) for name, value in values.items()
        ]
        self.any_shape = v1.get_variable(
            "others/any_shape",
            initializer=v1.placeholder_with_default(tf.zeros([1, 2]), [None, 2]),
            trainable=False,
            validate_shape=False,
            use_resource=True,
        )
        self.other_case = v1.get_variable("Table", initializer=np.float32([1.0]))

    def more(self, ids: Any, training: bool) -> Any:
        grow = [self.any_shape.assign(tf.concat([self.any_shape, tf.ones([1, 2])], 0))] if training else []
        with tf.control_dependencies(grow):
            return tf.reduce_mean(self.any_shape.read_value()) * 0.1 + self.other_case


class Tables(Base):
    """Look-up tables that training fills: how often each row was seen."""

    def make_more(self) -> None:
        self.seen = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, 0, name="seen")
        self.dense = tf.lookup.experimental.DenseHashTable(
            tf.string, tf.float32, 0.0, empty_key="", deleted_key="-", name="dense"
        )

    def more(self, ids: Any, training: bool) -> Any:
        words = tf.strings.as_string(ids)
        if training:
            unique = tf.unique(ids).y
            names = tf.strings.as_string(unique)
            more = [
                self.seen.insert(unique, self.seen.lookup(unique) + 1),
                self.dense.insert(names, self.dense.lookup(names) + 0.5),
            ]
            with tf.control_dependencies(more):
                words = tf.identity(words)
        return tf.zeros([tf.size(words), 1])


class _Pair(SaveableObject):
    """Two numbers of one variable under keys of their own."""

    def __init__(self, variable: Any) -> None:
        self.variable = variable
        value = variable.read_value()
        specs = [SaveSpec(value[0], "", "my pair:first"), SaveSpec(value[1], "", "my pair/second")]
        super().__init__(variable, specs, "my pair")

    def restore(self, restored_tensors: Any, _restored_shapes: Any) -> Any:
        return self.variable.assign(tf.stack(restored_tensors))


def own_pair() -> Any:
    """Returns a variable that only a saveable object of a person's own saves, under two other names."""
    pair = v1.get_variable("pair", initializer=[1.0, 2.0], trainable=False, collections=[v1.GraphKeys.MODEL_VARIABLES])
    v1.add_to_collection(v1.GraphKeys.TABLE_INITIALIZERS, pair.initializer)
    v1.add_to_collection(v1.GraphKeys.SAVEABLE_OBJECTS, _Pair(pair))
    return pair


class Own(Base):
    """Variable that a saveable object of a person's own saves."""

    def make_more(self) -> None:
        self.pair = own_pair()

    def more(self, ids: Any, training: bool) -> Any:
        if not training:
            return 0.0
        with tf.control_dependencies([self.pair.assign_add([1.0, 0.5])]):
            return tf.reduce_sum(self.pair.read_value()) * 0.001


class Average(Callback):
    """Callback with averages of the weights, a second optimizer, a metric and a table, updated at each epoch."""

    schedule = Schedule(every_n_epochs=1)

    def on_build(self, build: Any) -> None:
        self.saver_of_its_own = v1.train.Saver({"x": build.global_step})
        variables = list(build.model_variables.values())
        average = tf.train.ExponentialMovingAverage(0.9)
        self.bias = v1.get_variable("average/bias", [1], initializer=v1.zeros_initializer(), trainable=False)
        optimizer = v1.train.AdamOptimizer(0.1)
        step = optimizer.minimize(tf.reduce_sum((self.bias - 3.0) ** 2), var_list=[self.bias])
        table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.int64, 0, name="epochs")
        steps = build.global_step.read_value()
        self.update = [average.apply(variables), step, table.insert(steps, steps)]
        self.saver = build.saver

    def on_step_end(self, context: Context) -> None:
        context.session.run(self.update)


class Second(Callback):
    """Callback with a Keras optimizer over a variable of its own, and reference variables, updated in place."""

    schedule = Schedule(every_n_epochs=1)

    def on_build(self, build: Any) -> None:
        old = v1.get_variable("old", [2], initializer=v1.zeros_initializer(), trainable=False, use_resource=False)
        halves = v1.get_variable(
            "old_halves",
            [4, 2],
            initializer=v1.zeros_initializer(),
            trainable=False,
            use_resource=False,
            partitioner=v1.fixed_size_partitioner(2),
        )
        self.old = [v1.assign_add(each, tf.ones_like(each)).op for each in (old, *halves)]
        self.variable = v1.get_variable("second", [2], initializer=v1.zeros_initializer(), trainable=False)
        optimizer = keras.optimizers.Adam(0.1)
        optimizer.build([self.variable])
        self.update = tf.function(lambda: optimizer.apply([self.variable - 1.0], [self.variable]), autograph=False)()

    def on_step_end(self, context: Context) -> None:
        context.session.run([self.old, *([] if self.update is None else [self.update])])


def with_tables() -> tf.data.Dataset:
    """Returns examples that a table of the pipeline's own has a part in."""
    entries = tf.lookup.KeyValueTensorInitializer([0, 1], [0.5, 0.0], tf.int64, tf.float32)
    table = tf.lookup.StaticHashTable(entries, 0.0)
    return dataset().map(lambda x, y: ({"x": x["x"] + table.lookup(tf.constant(0, tf.int64))}, y))


def with_variable() -> tf.data.Dataset:
    """Returns examples that a variable of the pipeline's own has a part in."""
    scale = v1.get_variable("data/scale", initializer=1.0, trainable=False, use_resource=True)
    return dataset().map(lambda x, y: ({"x": x["x"] * scale}, y))
