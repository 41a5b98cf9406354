"""A training step of the model's own, against the same step in eager mode."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from tests.graph.steps.test_updates import Gan, batches, by_trainer, made
from tests.helpers import Line, assert_same_bits, points, run
from trainer.data.arrays import InMemory
from trainer.errors import RequestError
from trainer.graph.optimizers.optimizer_parts import OptimizerPart, Optimizers
from trainer.graph.steps.own_step import has_own_step

v1 = tf.compat.v1


class Wasserstein(Gan):
    """GAN with a penalty of the gradient of the critic, whose two updates each make a forward pass."""

    rounds = 2

    def train_step(self, inputs: Any, labels: Any, optimizers: Any) -> Any:
        for _ in range(self.rounds):
            of_critic = self.of_critic(inputs, labels)
            optimizers["d"].minimize(of_critic)
        of_generator = -tf.reduce_mean(self.judge(self(inputs, training=True)["fake"]))
        optimizers["g"].minimize(of_generator)
        return {"loss": of_critic + of_generator, "d_loss": of_critic, "share": (tf.reduce_sum(labels["x"]), 2.0)}

    def of_critic(self, inputs: Any, labels: Any) -> Any:
        fake = self(inputs, training=True)["fake"]
        between = (fake + labels["x"]) / 2.0
        with tf.GradientTape() as tape:
            tape.watch(between)
            judged = self.judge(between)
        penalty = tf.square(tf.norm(tape.gradient(judged, between), axis=1) - 1.0)
        return tf.reduce_mean(self.judge(fake) - self.judge(labels["x"])) + tf.reduce_mean(penalty)


class Taped(Wasserstein):
    """The same with gradients of a tape, and variables one by one."""

    def train_step(self, inputs: Any, labels: Any, optimizers: Any) -> Any:
        for _ in range(self.rounds):
            with tf.GradientTape() as tape:
                of_critic = self.of_critic(inputs, labels)
            found = tape.gradient(of_critic, optimizers["d"].variables)
            optimizers["d"].apply_gradients(zip(found, optimizers["d"].variables, strict=True))
        of_generator = -tf.reduce_mean(self.judge(self(inputs, training=True)["fake"]))
        optimizers["g"].minimize(of_generator, self.g)
        return {"loss": of_critic + of_generator}


def several(d: Any, g: Any, **more: Any) -> Any:
    return lambda: Optimizers({"d": OptimizerPart(d(), ["d/*"]), "g": OptimizerPart(g(), ["g/*"]), **more})


def by_hand(d: Any, g: Any) -> dict[str, Any]:
    """Returns the variables after the steps in eager mode."""
    model, of_d, of_g = Wasserstein(), d(), g()
    for z, x in batches():
        inputs, labels = {"z": z}, {"x": x}
        for _ in range(model.rounds):
            with tf.GradientTape() as tape:
                of_critic = model.of_critic(inputs, labels)
            of_d.apply_gradients(list(zip(tape.gradient(of_critic, model.d), model.d, strict=True)))
        with tf.GradientTape() as tape:
            of_generator = -tf.reduce_mean(model.judge(model(inputs, training=True)["fake"]))
        of_g.apply_gradients(list(zip(tape.gradient(of_generator, model.g), model.g, strict=True)))
    return {each.name.removesuffix(":0"): each.numpy() for each in (*model.d, *model.g)}


PAIRS: dict[str, Any] = {
    "of Keras": (lambda: keras.optimizers.Adam(0.05, beta_1=0.5), lambda: keras.optimizers.SGD(0.1)),
    "one of each": (lambda: v1.train.RMSPropOptimizer(0.01), lambda: keras.optimizers.Adam(0.05)),
}


@pytest.mark.parametrize("model", [Wasserstein, Taped])
@pytest.mark.parametrize("pair", PAIRS)
def test_a_step_of_ones_own_does_as_in_eager_mode(pair, model) -> None:
    expected, found = by_hand(*PAIRS[pair]), by_trainer(several(*PAIRS[pair]), model)
    assert found.keys() == expected.keys()
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], rtol=2e-4, atol=2e-5, err_msg=name)


class Alone(Line):
    """Model with one optimizer, a Keras metric, and a step that takes everything."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = keras.metrics.Sum(name="steps")

    def train_step(self, inputs: Any, labels: Any, optimizers: Any, seed: Any, step: Any) -> Any:
        noise = 0.01 * tf.random.stateless_normal(tf.shape(inputs["x"]), seed)
        loss = self.loss(self({"x": inputs["x"] + noise}, training=True), labels)
        optimizers["optimizer"].minimize(loss)
        self.steps.update_state(1.0)
        return {"loss": loss, "seen": self.steps, "step": tf.cast(step, tf.float32)}


@pytest.mark.parametrize("mode", ["off", "xla"])
def test_its_metrics_are_reported_and_a_resume_has_the_same_bits(tmp_path, mode) -> None:
    def train(name: str, epochs: int) -> Any:
        data = InMemory(points(), batch_size=8, validation=0.2)
        callbacks = {"evaluate": Evaluate(), "checkpoint": Checkpoint(every_n_steps=3, max_to_keep=9)}
        return run(tmp_path / name, callbacks, make_model=Alone, data=data, epochs=epochs, compile=mode)

    state = train("straight", 3)
    assert state.metrics.keys() - {"steps_per_sec", "learning_rate"} == {
        "loss",
        "seen",
        "step",
        "val_loss",
        "val_error",
    }
    assert (state.metrics["seen"], state.metrics["step"]) == (4.0, 9.5)
    train("broken", 1)
    train("broken", 3)
    assert_same_bits(tmp_path / "straight/checkpoints/model-12", tmp_path / "broken/checkpoints/model-12")


def broken(**changes: Any) -> type[Gan]:
    """Returns a GAN whose training step is another function."""

    def train_step(self: Any, inputs: Any, labels: Any, optimizers: Any) -> Any:
        losses = self.loss(self(inputs, training=True), labels)
        return changes["step"](self, optimizers, losses)

    return type("Broken", (Gan,), {"train_step": changes.get("method", train_step)})


def done(_self: Any, optimizers: Any, losses: Any) -> Any:
    optimizers["d"].minimize(losses["d_loss"])
    return {"d_loss": losses["d_loss"]}


REFUSED: dict[str, tuple[Any, str]] = {
    "that of Keras": ({"method": lambda self, data: {}}, r"takes \(data\); it must be train_step"),
    "another argument": ({"method": lambda self, inputs, labels, optimizers, epoch: {}}, "it must be train_step"),
    "no loss": ({"step": done}, "returned no 'loss'"),
    "no dict": ({"step": lambda model, optimizers, losses: losses["d_loss"]}, "must return a dict"),
    "no update": ({"step": lambda model, optimizers, losses: {"loss": losses["d_loss"]}}, "NAME from: d, g"),
    "no optimizer": ({"step": lambda model, optimizers, losses: optimizers["D"].minimize(0.0)}, "did you mean d"),
    "the variables of another": (
        {"step": lambda model, optimizers, losses: optimizers["d"].minimize(losses["g_loss"], model.g)},
        "'g/a' to the optimizer 'd', which updates other variables: d/a, d/b",
    ),
    "a loss of others": (
        {"step": lambda model, optimizers, losses: optimizers["g"].minimize(tf.nn.l2_loss(model.d[0]))},
        "depends on none of g/a, g/b",
    ),
    "a reserved name": (
        {"step": lambda model, optimizers, losses: done(model, optimizers, losses) | {"loss": 1.0, "epoch": 1.0}},
        r"Broken\.train_step returned 'epoch'",
    ),
    "no gradients": (
        {"step": lambda model, optimizers, losses: optimizers["d"].apply_gradients([(None, model.d[0])])},
        "apply_gradients without a gradient",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_it_cannot_do_is_refused_by_name(what) -> None:
    changes, message = REFUSED[what]
    adam = lambda: keras.optimizers.Adam(0.01)  # noqa: E731
    with pytest.raises(RequestError, match=message):
        by_trainer(several(adam, adam), broken(**changes))


@pytest.mark.parametrize("setting", [{"loss": "d_loss"}, {"every_n_steps": 2}])
def test_settings_that_the_step_decides_are_refused(setting) -> None:
    adam = keras.optimizers.Adam

    def make() -> Optimizers:
        return Optimizers({"d": OptimizerPart(adam(), ["d/*"], **setting), "g": OptimizerPart(adam(), ["g/*"])})

    with pytest.raises(RequestError, match=re.escape("leave out loss, every_n_steps and in_turn")):
        by_trainer(make, Wasserstein)


class Regular(Line):
    """Model whose step forgets the regularizer of its layer."""

    def __init__(self) -> None:
        self.layer = keras.layers.Dense(1, kernel_regularizer="l2", name="regular")

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.layer(inputs["x"])}

    def train_step(self, inputs: Any, labels: Any, optimizers: Any) -> Any:
        loss = self.loss(self(inputs, training=True), labels) + self.more()
        optimizers["optimizer"].minimize(loss)
        return {"loss": loss}

    def more(self) -> Any:
        return 0.0


class Regularized(Regular):
    def more(self) -> Any:
        return tf.add_n(self.layer.losses)


@pytest.mark.parametrize(("model", "is_said"), [(Regular, True), (Regularized, False)])
def test_a_loss_on_the_side_that_the_step_leaves_out_is_said(tmp_path, caplog, model, is_said) -> None:
    run(tmp_path / "run", {}, make_model=model, epochs=1)
    assert ("left out by" in caplog.text) == is_said
    assert caplog.text.count("regular/kernel") == is_said


def test_a_train_step_that_keras_gives_its_models_is_not_the_models_own() -> None:
    assert not has_own_step(keras.Sequential([keras.layers.Dense(1)]))
    assert not has_own_step(Gan())


def test_variables_that_no_call_updates_are_said(caplog) -> None:
    class OnlyCritic(Wasserstein):
        def train_step(self, inputs: Any, labels: Any, optimizers: Any) -> Any:
            loss = self.of_critic(inputs, labels)
            optimizers["d"].minimize(loss)
            return {"loss": loss}

    found = by_trainer(several(*PAIRS["of Keras"]), OnlyCritic)
    assert "do not depend" not in caplog.text
    assert "g/a, g/b" in caplog.text
    np.testing.assert_array_equal(found["g/b"], made("g/b", [8, 1], 2).numpy())
