"""Parts of the variables with optimizers of their own, against loops that a person writes with ``GradientTape``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.data.arrays import Arrays, InMemory
from trainer.graph.build import GraphContext, open_graph
from trainer.graph.data_source import inspect_source
from trainer.graph.optimizer_parts import OptimizerPart, Optimizers

v1 = tf.compat.v1
OF_KERAS, OF_V1 = keras.optimizers, v1.train
STEPS, BATCH = 7, 8


def made(name: str, shape: list[int], seed: int, scale: float = 1.0) -> Any:
    """Returns a variable with the same values in a graph and in eager mode."""
    return tf.Variable(scale * tf.random.stateless_normal(shape, [1, seed]), name=name)


class Gan:
    """Two nets against each other, with a loss by name for each."""

    def __init__(self) -> None:
        self.g = [made("g/a", [2, 8], 1, 0.3), made("g/b", [8, 1], 2)]
        self.d = [made("d/a", [1, 8], 3, 0.3), made("d/b", [8, 1], 4)]

    def judge(self, x: Any) -> Any:
        return tf.nn.relu(x @ self.d[0]) @ self.d[1]

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"fake": tf.nn.relu(inputs["z"] @ self.g[0]) @ self.g[1]}

    def loss(self, outputs: Any, labels: Any) -> Any:
        cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits
        real, fake = self.judge(labels["x"]), self.judge(outputs["fake"])
        of_d = cross_entropy(tf.ones_like(real), real) + cross_entropy(tf.zeros_like(fake), fake)
        return {
            "d_loss": tf.reduce_mean(of_d),
            "g_loss": tf.reduce_mean(cross_entropy(tf.ones_like(fake), fake)),
        }


def batches() -> list[tuple[Any, Any]]:
    random = np.random.default_rng(0)
    return [
        (random.normal(size=[BATCH, 2]).astype(np.float32), random.normal(3, 1, [BATCH, 1]).astype(np.float32))
        for _ in range(STEPS)
    ]


def opened(make_model: Any, make_optimizers: Any, **options: Any) -> GraphContext:
    (z, x), *_ = batches()
    source = inspect_source(InMemory(Arrays({"z": z}, {"x": x}), batch_size=BATCH))
    options = {"steps_per_epoch": 5, **options}
    return open_graph(make_model, lambda *_: make_optimizers(), source, 0, "off", **options).context


def by_trainer(make_optimizers: Any, make_model: Any = Gan, **options: Any) -> dict[str, Any]:
    """Returns the trained variables after the op ``train_step`` ran on each batch."""
    built = opened(make_model, make_optimizers, **options)
    with built.graph.as_default(), v1.Session() as session:
        session.run(v1.global_variables_initializer())
        for z, x in batches():
            session.run("train_step", {"z:0": z, "x:0": x})
        assert session.run(built.global_step) == STEPS
        return dict(session.run({each.op.name: each for each in v1.trainable_variables()}))


def by_hand(make_optimizers: Any) -> dict[str, Any]:
    """Returns them after an eager loop: gradients of each loss by its own variables alone."""
    optimizers, model = make_optimizers(), Gan()
    variables = {"d": model.d, "g": model.g}

    def gradients(part: str, z: Any, x: Any) -> Any:
        with tf.GradientTape() as tape:
            losses = model.loss(model({"z": z}, training=True), {"x": x})
            name = optimizers.parts[part].loss
            loss = tf.add_n(list(losses.values())) if name is None else losses[name]
        return tape.gradient(loss, variables[part])

    for step, (z, x) in enumerate(batches(), 1):
        before = {part: gradients(part, z, x) for part in variables}
        for name, part in optimizers.parts.items():
            if step % part.every_n_steps == 0:
                found = gradients(name, z, x) if optimizers.in_turn else before[name]
                part.optimizer.apply_gradients(list(zip(found, variables[name], strict=True)))
    return {each.name.removesuffix(":0"): each.numpy() for part in variables.values() for each in part}


def parts(d: Any, g: Any, every: tuple[int, int] = (1, 1), **options: Any) -> Any:
    """Returns a function that makes the optimizers of the two nets, given functions that make each."""

    def make() -> Optimizers:
        return Optimizers(
            {
                "d": OptimizerPart(d(), ["d/*"], "d_loss", every[0]),
                "g": OptimizerPart(g(), ["g/*"], "g_loss", every[1]),
            },
            **options,
        )

    return make


PAIRS: Mapping[str, tuple[Any, Any]] = {
    "of Keras": (lambda: OF_KERAS.Adam(0.05), lambda: OF_KERAS.Adam(0.01)),
    "of graph mode": (lambda: OF_V1.FtrlOptimizer(0.1), lambda: OF_V1.AdamOptimizer(0.05)),
    "two of the same class": (lambda: OF_V1.AdamOptimizer(0.05), lambda: OF_V1.AdamOptimizer(0.01, 0.5)),
    "one of each": (lambda: OF_KERAS.Adagrad(0.1, clipnorm=0.5), lambda: OF_V1.MomentumOptimizer(0.02, 0.9)),
    "the other way round": (lambda: OF_V1.RMSPropOptimizer(0.01), lambda: OF_KERAS.AdamW(0.01, weight_decay=0.1)),
}
EVERY = {"each step": (1, 1), "g each third": (1, 3), "d each second": (2, 1), "both rest": (2, 3)}
ORDERS: Mapping[str, Any] = {"at once": {}, "d first": {"in_turn": ["d", "g"]}, "g first": {"in_turn": ["g", "d"]}}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("every", EVERY)
@pytest.mark.parametrize("pair", PAIRS)
def test_two_nets_do_as_in_a_loop_by_hand(pair, every, order) -> None:
    make = parts(*PAIRS[pair], EVERY[every], **ORDERS[order])
    expected, found = by_hand(make), by_trainer(make)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], rtol=2e-5, atol=2e-6, err_msg=name)
