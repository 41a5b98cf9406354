"""Generative adversarial net: a generator of points, and a discriminator that tells them from real ones."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from trainer.checks import check_int
from trainer.model import Tensors


class Gan:
    """Two nets with a loss each; the variables of one are ``generator/*``, those of the other ``discriminator/*``.

    Args:
        codes: Length of the codes from which points are made.
        points: Number of coordinates of a point.
        hidden: Numbers of units in the hidden layers of both nets.

    Raises:
        TypeError, ValueError: A number is not a positive whole number.

    Example:
        >>> with tf.Graph().as_default():
        ...     Gan(2, 3, [8])({"code": tf.zeros([5, 2])}, training=False, seed=[0, 0])["sample"].shape.as_list()
        [5, 3]
    """

    def __init__(self, codes: int = 2, points: int = 2, hidden: Sequence[int] = (32, 32)) -> None:
        codes, points = (
            check_int(f"model.{name}", each, minimum=1) for name, each in (("codes", codes), ("points", points))
        )
        sizes = [check_int("model.hidden", size, minimum=1) for size in hidden]
        self._generator = _layers("generator", [codes, *sizes, points])
        self._discriminator = _layers("discriminator", [points, *sizes, 1])

    def __call__(self, inputs: Tensors, training: bool, seed: Any) -> Tensors:
        """Returns ``sample`` [batch, points] of ``code`` [batch, codes]; training draws new codes in each step."""
        code = tf.random.stateless_normal(tf.shape(inputs["code"]), seed) if training else inputs["code"]
        return {"sample": _applied(self._generator, tf.ensure_shape(code, inputs["code"].shape))}

    def loss(self, outputs: Tensors, labels: Tensors) -> dict[str, tf.Tensor]:
        """Returns the cross entropy of the discriminator, and that of a generator that wants to be taken for real."""
        real, made = self._judged(outputs, labels)
        cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits
        of_real, of_made = cross_entropy(tf.ones_like(real), real), cross_entropy(tf.zeros_like(made), made)
        return {
            "discriminator_loss": tf.reduce_mean(of_real + of_made),
            "generator_loss": tf.reduce_mean(cross_entropy(tf.ones_like(made), made)),
        }

    def metrics(self, outputs: Tensors, labels: Tensors) -> Tensors:
        """Returns the shares of the real and of the generated points that the discriminator finds out."""
        real, made = self._judged(outputs, labels)
        found = {"real_found": real > 0.0, "made_found": made < 0.0}
        return {name: tf.reduce_mean(tf.cast(each, tf.float32)) for name, each in found.items()}

    def _judged(self, outputs: Tensors, labels: Tensors) -> tuple[tf.Tensor, tf.Tensor]:
        return tuple(_applied(self._discriminator, each) for each in (labels["point"], outputs["sample"]))


def _layers(scope: str, sizes: Sequence[int]) -> list[tuple[tf.Variable, tf.Variable]]:
    layers = []
    for i, (fan_in, fan_out) in enumerate(itertools.pairwise(sizes)):
        initial = tf.random.normal([fan_in, fan_out], stddev=math.sqrt(2.0 / fan_in))
        weights = tf.Variable(initial, name=f"{scope}/dense_{i}/weights")
        layers.append((weights, tf.Variable(tf.zeros([fan_out]), name=f"{scope}/dense_{i}/biases")))
    return layers


def _applied(layers: Sequence[tuple[tf.Variable, tf.Variable]], hidden: tf.Tensor) -> tf.Tensor:
    for weights, biases in layers[:-1]:
        hidden = tf.nn.leaky_relu(hidden @ weights + biases)
    weights, biases = layers[-1]
    return hidden @ weights + biases
