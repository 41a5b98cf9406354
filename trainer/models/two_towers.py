"""Two-tower model: embeddings of users and items, two inputs, two outputs."""

from __future__ import annotations

import tensorflow as tf

from trainer.checks import check_int
from trainer.model import Tensors

v1 = tf.compat.v1


class TwoTowers:
    """Model of the rating of an item by a user and of the probability of liking, from learnt vectors.

    Args:
        users: Number of users.
        items: Number of items.
        size: Length of the learnt vectors.

    Raises:
        TypeError, ValueError: A number is not a positive whole number.

    Example:
        >>> with tf.Graph().as_default():
        ...     pair = {"user": tf.zeros([5], tf.int32), "item": tf.zeros([5], tf.int32)}
        ...     sorted(TwoTowers(3, 3, 2)(pair, training=False))
        ['like_probability', 'rating']
    """

    def __init__(self, users: int, items: int, size: int) -> None:
        size = check_int("model.size", size, minimum=1)
        shapes = [check_int("model.users", users, minimum=1), size], [check_int("model.items", items, minimum=1), size]
        initializer = v1.random_normal_initializer(stddev=0.3)
        self._users = v1.get_variable("users", shapes[0], initializer=initializer)
        self._items = v1.get_variable("items", shapes[1], initializer=initializer)
        self._steepness = v1.get_variable("steepness", [], initializer=v1.ones_initializer())

    def __call__(self, inputs: Tensors, training: bool) -> Tensors:
        """Returns ``rating`` and ``like_probability``, float32 [batch], of ``user`` and ``item``, int32 [batch]."""
        del training
        vectors = tf.gather(self._users, inputs["user"]) * tf.gather(self._items, inputs["item"])
        rating = tf.reduce_sum(vectors, axis=1)
        return {"rating": rating, "like_probability": tf.sigmoid(self._steepness * rating)}

    def loss(self, outputs: Tensors, labels: Tensors) -> tf.Tensor:
        """Returns the squared error of the rating plus the log loss of liking."""
        error = tf.square(outputs["rating"] - labels["stars"])
        probability = tf.clip_by_value(outputs["like_probability"], 1e-6, 1 - 1e-6)
        like = labels["like"]
        log_loss = -like * tf.math.log(probability) - (1 - like) * tf.math.log(1 - probability)
        return tf.reduce_mean(error + log_loss)

    def metrics(self, outputs: Tensors, labels: Tensors) -> Tensors:
        """Returns the mean absolute error of the rating, and the accuracy of liking."""
        error = tf.reduce_mean(tf.abs(outputs["rating"] - labels["stars"]))
        hit = tf.equal(outputs["like_probability"] > 0.5, labels["like"] > 0.5)
        return {"rating_error": error, "like_accuracy": tf.reduce_mean(tf.cast(hit, tf.float32))}
