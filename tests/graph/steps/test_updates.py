"""Parts of the variables with optimizers of their own, against loops that a person writes with ``GradientTape``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import run
from trainer.data.arrays import Arrays, InMemory
from trainer.errors import RequestError
from trainer.graph.build import GraphContext, open_graph
from trainer.graph.data.data_source import inspect_source
from trainer.graph.optimizers.optimizer_parts import OptimizerPart, Optimizers

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


def test_the_orders_and_rests_differ() -> None:
    """The table above tells them apart."""
    pair = PAIRS["of Keras"]
    found = [by_hand(parts(*pair, every, **order)) for every in EVERY.values() for order in ORDERS.values()]
    assert len({each["g/a"].tobytes() + each["d/a"].tobytes() for each in found}) == len(found)


def test_parts_of_one_loss_share_the_gradients_and_do_as_one_optimizer() -> None:
    def several() -> Any:
        adam = lambda: OF_KERAS.Adam(0.05)  # noqa: E731
        return Optimizers({"rest": OptimizerPart(adam(), ["g/*", "d/b"]), "first": OptimizerPart(adam(), ["d/a"])})

    found, expected = by_trainer(several), by_trainer(lambda: OF_KERAS.Adam(0.05))
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name])
    graph = opened(Gan, several).graph.as_graph_def()
    one = opened(Gan, lambda: OF_KERAS.Adam(0.05)).graph.as_graph_def()
    counts = [sum(n.op == "ReluGrad" for f in each.library.function for n in f.node_def) for each in (graph, one)]
    assert counts[0] == counts[1]


def names_made(make_optimizers: Any) -> set[str]:
    """Returns the names of the variables beside those of the net."""
    graph = opened(Gan, make_optimizers).graph
    names = {each.op.name for each in graph.get_collection("variables")}
    return names - {each.op.name for each in graph.get_collection("trainable_variables")} - {"global_step"}


def test_variables_of_optimizers_are_named_by_their_parts() -> None:
    adam = OF_V1.AdamOptimizer
    slots = {f"{name}/{slot}" for name in ("d/a", "d/b", "g/a", "g/b") for slot in ("Adam", "Adam_1")}
    powers = {f"optimizer_{part}/beta{n}_power" for part in "dg" for n in (1, 2)}
    assert names_made(parts(adam, adam)) == slots | powers
    assert names_made(parts(adam, adam, (1, 3), in_turn=["g", "d"])) == slots | powers
    made_by_keras = names_made(
        parts(*(partial(OF_KERAS.SGD, 0.1, momentum=0.9, name=f"optimizer_{part}") for part in "dg"))
    )
    # Keras counts the scope up for each variable.
    expected = {f"optimizer_{part}/{name}" for part in "dg" for name in ("iteration", "learning_rate")}
    expected |= {f"optimizer_{part}/{part}_{name}_momentum" for part in "dg" for name in "ab"}
    assert {re.sub(r"_\d+/|_0_", lambda found: found[0][-1], name) for name in made_by_keras} == expected


def part(variables: Any, loss: Any = None, **more: Any) -> OptimizerPart:
    return OptimizerPart(OF_V1.GradientDescentOptimizer(0.1), variables, loss, **more)


REFUSED: Mapping[str, tuple[Any, str]] = {
    "a variable in two parts": (
        {"d": (["d/*"],), "g": (["*"],)},
        r"'d/a' belongs to two parts, d \(d/\*\) and g \(\*\)",
    ),
    "a variable in no part": (
        {"d": (["d/*"],), "g": (["g/a"],)},
        r"no optimizer updates g/b; the patterns are d: d/\*; g: g/a",
    ),
    "a pattern without variables": (
        {"d": (["D/*"],), "g": (["g/*"],)},
        r"optimizer\.parts\.d\.variables: 'D/\*'.*d/\*",
    ),
    "no patterns": ({"d": ([],), "g": (["*"],)}, "optimizer.parts.d.variables is empty; there are: d/a, d/b"),
    "a loss that there is not": ({"d": (["d/*"], "d_los"), "g": (["g/*"],)}, "did you mean d_loss"),
    "a loss of others": ({"d": (["d/*"], "other"), "g": (["g/*"],)}, "'other' depends on no variable of the part 'd'"),
    "no parts": ({}, "need parts"),
}


class WithOther(Gan):
    def loss(self, outputs: Any, labels: Any) -> Any:
        return {**super().loss(outputs, labels), "other": tf.reduce_mean(tf.square(outputs["fake"]))}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_divided_is_refused_by_name(what) -> None:
    settings, message = REFUSED[what]
    with pytest.raises(RequestError, match=message):
        opened(WithOther, lambda: Optimizers({name: part(*each) for name, each in settings.items()}))


def test_a_named_loss_of_a_model_without_names_is_refused(tmp_path) -> None:
    with pytest.raises(
        RequestError, match=r"optimizer\.parts\.all\.loss is 'd_loss', and the model's loss has no names"
    ):
        run(tmp_path / "run", {}, make_optimizer=lambda *_: Optimizers({"all": part(["*"], "d_loss")}))


@pytest.mark.parametrize(("in_turn", "message"), [(["d"], "each part once: d, g"), (["d", "h"], "'h'"), ([], "once")])
def test_an_order_must_name_each_part(in_turn, message) -> None:
    with pytest.raises(RequestError, match=message):
        Optimizers({"d": part(["d/*"]), "g": part(["g/*"])}, in_turn)


@pytest.mark.parametrize("wrong", [{"every_n_steps": 0}, {"every_n_steps": 1.5}, {"variables": "d/*"}])
def test_a_part_checks_its_settings(wrong) -> None:
    with pytest.raises((TypeError, ValueError)):
        part(**{"variables": ["*"], **wrong})


@pytest.mark.parametrize("order", ORDERS)
def test_variables_that_are_not_trained_need_no_optimizer(order) -> None:
    make = parts(*PAIRS["one of each"], **ORDERS[order])
    found, all_trained = by_trainer(make, trainable=["d/*", "g/b"]), by_trainer(make)
    np.testing.assert_array_equal(found["g/a"], made("g/a", [2, 8], 1, 0.3).numpy())
    assert not np.array_equal(found["g/b"], made("g/b", [8, 1], 2).numpy())
    assert not np.array_equal(found["d/a"], all_trained["d/a"])
    with pytest.raises(RequestError, match=r"optimizer\.parts\.g\.variables: 'g/\*' matches no trained variable"):
        by_trainer(make, trainable=["d/*"])


class OfLayers:
    """GAN of Keras layers with batch normalisation, a regularizer and perhaps layers of float16."""

    policy: Any = None

    def __init__(self) -> None:
        dense, norm = keras.layers.Dense, keras.layers.BatchNormalization(name="g_norm")
        top = dense(1, dtype=self.policy, name="g_top")
        self.generator = keras.Sequential([keras.Input([2]), dense(8, name="g_hidden"), norm, top])
        hidden = dense(8, "tanh", kernel_regularizer="l2", name="d_hidden")
        self.critic = keras.Sequential([keras.Input([1]), hidden, dense(1, name="d_top")])

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"fake": tf.cast(self.generator(inputs["z"], training=training), tf.float32)}

    def loss(self, outputs: Any, labels: Any) -> Any:
        real, fake = self.critic(labels["x"]), self.critic(outputs["fake"])
        return {
            "d_loss": tf.reduce_mean(tf.square(real - 1.0) + tf.square(fake)),
            "g_loss": tf.reduce_mean(tf.square(fake - 1.0)),
        }


class Half(OfLayers):
    policy = "mixed_float16"


def of_layers(make: Any, names: Mapping[str, Any], every: int = 1, **order: Any) -> Any:
    def made() -> Optimizers:
        return Optimizers({n: OptimizerPart(make(), each, f"{n}_loss", every) for n, each in names.items()}, **order)

    return made


KERAS_NAMES = {"g": ["*g_*"], "d": ["*d_*"]}


@pytest.mark.parametrize("order", ORDERS)
def test_layers_keep_their_regularizers_and_averages(order) -> None:
    weights = eager_layers(OfLayers, 0, **ORDERS[order])
    expected = eager_layers(OfLayers, STEPS, **ORDERS[order])
    built = opened(OfLayers, of_layers(lambda: OF_KERAS.SGD(0.1), KERAS_NAMES, **ORDERS[order]))
    variables = [each.value for net in (built.model.generator, built.model.critic) for each in net.weights]
    with built.graph.as_default(), v1.Session() as session:
        session.run(v1.global_variables_initializer())
        for variable, value in zip(variables, weights, strict=True):
            variable.load(value, session)
        for z, x in batches():
            session.run("train_step", {"z:0": z, "x:0": x})
        found = session.run(variables)
    for value, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-4, atol=1e-5)


def eager_layers(make_model: Any, steps: int, in_turn: Any = None) -> list[Any]:
    """Returns the weights after steps of an eager loop, with the regularizers in both losses."""
    keras.utils.set_random_seed(3)
    model = make_model()
    nets = {"g": model.generator, "d": model.critic}
    for z, x in batches()[:steps]:
        with tf.GradientTape(persistent=True) as tape:
            losses = model.loss(model({"z": z}, training=True), {"x": x})
            losses = {name: loss + tf.add_n(model.critic.losses) for name, loss in losses.items()}
        for name in in_turn or nets:
            if in_turn and name != in_turn[0]:
                with tf.GradientTape() as tape:
                    losses = model.loss(model({"z": z}, training=True), {"x": x})
                    losses = {name: loss + tf.add_n(model.critic.losses) for name, loss in losses.items()}
            own = nets[name].trainable_variables
            if in_turn:
                found = tape.gradient(losses[f"{name}_loss"], own)
                gradients = {name: found}
            elif name == "g":
                gradients = {
                    each: tape.gradient(losses[f"{each}_loss"], nets[each].trainable_variables) for each in nets
                }
            OF_KERAS.SGD(0.1).apply(gradients[name], own)
    return [*model.generator.get_weights(), *model.critic.get_weights()]


@pytest.mark.parametrize("order", ORDERS)
def test_each_part_of_a_model_of_float16_gets_a_loss_scale(order) -> None:
    half = opened(Half, of_layers(lambda: OF_KERAS.Adam(0.1), KERAS_NAMES, **ORDERS[order]))
    names = {each.op.name for each in half.graph.get_collection("variables")}
    assert all(
        any(re.fullmatch(rf"optimizer_{part}_loss_scale.*/dynamic_scale", name) for name in names) for part in "dg"
    )
    assert half.skips_steps
    assert len(half.learning_rates) == 2
    found, again, rested = (
        by_trainer(of_layers(lambda: OF_KERAS.Adam(0.1), KERAS_NAMES, every, **ORDERS[order]), Half)
        for every in (1, 1, 3)
    )
    assert all(np.isfinite(value).all() for value in (*found.values(), *rested.values()))
    assert all(np.array_equal(found[name], again[name]) for name in found)
    assert not any(np.array_equal(found[name], rested[name]) for name in found if name.endswith("kernel"))


def test_a_part_may_keep_averages() -> None:
    def make() -> Any:
        averaged = OF_KERAS.Adam(0.1, use_ema=True, ema_momentum=0.5)
        return Optimizers(
            {
                "d": OptimizerPart(OF_KERAS.SGD(0.1), ["d/*"], "d_loss"),
                "g": OptimizerPart(averaged, ["g/*"], "g_loss", 2),
            }
        )

    averages = opened(Gan, make).averages
    assert averages is not None
    assert sorted(averages.names) == ["g/a", "g/b"]
