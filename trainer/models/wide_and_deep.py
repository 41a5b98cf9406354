"""Wide and deep model: a table of memorised pairs beside a dense net."""

from __future__ import annotations

import math

import tensorflow as tf

from trainer.checks import check_int
from trainer.model import Tensors

v1 = tf.compat.v1


class WideAndDeep:
    """Model of the chance of a click: the sum of a weight for each pair (``wide/*``) and of a net (``deep/*``).

    Args:
        pages: Number of pages.
        adverts: Number of adverts.
        size: Length of the learnt vectors.
        units: Number of units in the hidden layer.
        traits: Number of traits of a visitor.

    Raises:
        TypeError, ValueError: A number is not a positive whole number.

    Example:
        >>> with tf.Graph().as_default():
        ...     visit = {"page": tf.zeros([5], tf.int32), "advert": tf.zeros([5], tf.int32), "traits": tf.zeros([5, 4])}
        ...     WideAndDeep(3, 3, 2, 8)(visit, training=False)["click_probability"].shape.as_list()
        [5]
    """

    def __init__(self, pages: int, adverts: int, size: int = 8, units: int = 32, traits: int = 4) -> None:
        pages = check_int("model.pages", pages, minimum=1)
        adverts = check_int("model.adverts", adverts, minimum=1)
        size = check_int("model.size", size, minimum=1)
        units = check_int("model.units", units, minimum=1)
        inputs = 2 * size + check_int("model.traits", traits, minimum=1)
        zeros, normal = v1.zeros_initializer(), v1.random_normal_initializer
        self._pairs = v1.get_variable("wide/pairs", [pages, adverts], initializer=zeros)
        self._bias = v1.get_variable("wide/bias", [], initializer=zeros)
        self._pages = v1.get_variable("deep/pages", [pages, size], initializer=normal(stddev=0.1))
        self._adverts = v1.get_variable("deep/adverts", [adverts, size], initializer=normal(stddev=0.1))
        of_hidden = normal(stddev=math.sqrt(2.0 / inputs))
        self._hidden = v1.get_variable("deep/hidden/weights", [inputs, units], initializer=of_hidden)
        self._hidden_bias = v1.get_variable("deep/hidden/biases", [units], initializer=zeros)
        self._top = v1.get_variable("deep/top/weights", [units, 1], initializer=normal(stddev=math.sqrt(1.0 / units)))

    def __call__(self, inputs: Tensors, training: bool) -> Tensors:
        """Returns ``logit`` and ``click_probability``, float32 [batch], of ``page``, ``advert`` and ``traits``."""
        del training
        page, advert = inputs["page"], inputs["advert"]
        wide = tf.gather_nd(self._pairs, tf.stack([page, advert], axis=1)) + self._bias
        vectors = [tf.gather(self._pages, page), tf.gather(self._adverts, advert), inputs["traits"]]
        hidden = tf.nn.relu(tf.concat(vectors, axis=1) @ self._hidden + self._hidden_bias)
        logit = wide + tf.squeeze(hidden @ self._top, axis=1)
        return {"logit": logit, "click_probability": tf.sigmoid(logit)}

    def loss(self, outputs: Tensors, labels: Tensors) -> tf.Tensor:
        """Returns the mean cross entropy."""
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels["click"], outputs["logit"]))

    def metrics(self, outputs: Tensors, labels: Tensors) -> Tensors:
        """Returns the accuracy."""
        hit = tf.equal(outputs["logit"] > 0.0, labels["click"] > 0.5)
        return {"accuracy": tf.reduce_mean(tf.cast(hit, tf.float32))}
