"""Every optimizer with every option against Keras's own training step, or a session loop of plain TensorFlow."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainer.data.arrays import Arrays, InMemory
from trainer.errors import RequestError
from trainer.graph.build import open_graph
from trainer.graph.data.data_source import inspect_source
from trainer.graph.optimizers.learning_rates import rate_of_step
from trainer.graph.optimizers.optimizers import exclude_from_weight_decay

v1 = tf.compat.v1

STEPS, BATCH = 6, 8
OPTIMIZERS = keras.optimizers
KERAS = sorted(
    name
    for name, kind in vars(OPTIMIZERS).items()
    if isinstance(kind, type) and issubclass(kind, OPTIMIZERS.Optimizer)
    if name not in ("Optimizer", "LossScaleOptimizer", "Muon")
)
RATE = {"learning_rate": 0.1}


class Halving(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """Schedule of a user's own."""

    def __call__(self, step: Any) -> Any:
        return tf.where(step == 0, 0.1, 0.05)


class Lookahead(OPTIMIZERS.SGD):  # type: ignore[misc]
    """Optimizer of a user's own: every second step goes half of the way back to slow weights."""

    def build(self, variables: Any) -> None:
        super().build(variables)
        self.slow = self.add_optimizer_variables(variables, "slow")

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        super().apply(grads, trainable_variables)
        for variable, slow in zip(self._trainable_variables, self.slow, strict=True):
            back = tf.convert_to_tensor(variable) / 2.0 + tf.convert_to_tensor(slow) / 2.0
            slow.assign(tf.where(self.iterations % 2 == 0, back, slow))
            variable.assign(tf.where(self.iterations % 2 == 0, back, variable))

    def scale_loss(self, loss: Any) -> Any:
        return 2.0 * loss


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": RATE,
    "clipnorm": {**RATE, "clipnorm": 0.1},
    "clipvalue": {**RATE, "clipvalue": 0.01},
    "global_clipnorm": {**RATE, "global_clipnorm": 0.1},
    "weight_decay": {**RATE, "weight_decay": 0.1},
    "accumulation": {**RATE, "gradient_accumulation_steps": 2},
    "ema": {**RATE, "use_ema": True, "ema_momentum": 0.5},
    "ema_overwrite": {**RATE, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 3},
    "schedule": {"learning_rate": keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)},
    "own schedule": {"learning_rate": Halving()},
    "function": {"learning_rate": lambda: 0.05},
    "all": {**RATE, "weight_decay": 0.1, "global_clipnorm": 0.1, "gradient_accumulation_steps": 2, "use_ema": True},
}
"""Options of every Keras optimizer; each works with sparse gradients."""


def net(*, sparse: bool = True) -> keras.Model:
    """Returns a net with an embedding, regularizers, an activity loss and a constraint."""
    ids, x = keras.Input([2], dtype="int32", name="ids"), keras.Input([3], name="x")
    looked_up = [keras.layers.Flatten()(keras.layers.Embedding(5, 3)(ids))] if sparse else []
    hidden = keras.layers.Concatenate()([*looked_up, x]) if sparse else x
    hidden = keras.layers.Dense(
        4, "tanh", kernel_regularizer="l2", activity_regularizer="l2", kernel_constraint=keras.constraints.MaxNorm(1.0)
    )(hidden)
    inputs = {"ids": ids, "x": x} if sparse else {"x": x}
    return keras.Model(inputs, keras.layers.Dense(1)(hidden))


class Wrapped:
    """The net as a model of the trainer."""

    def __init__(self, *, sparse: bool = True) -> None:
        self.net = net(sparse=sparse)

    def __call__(self, inputs: Any, training: bool) -> Any:
        return {"op": self.net({name: inputs[name] for name in self.net.input}, training=training)}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))


def batches() -> list[tuple[dict[str, Any], Any]]:
    """Returns the batches of all steps."""
    random = np.random.default_rng(0)
    return [
        (
            {
                "ids": random.integers(0, 5, [BATCH, 2], dtype=np.int32),
                "x": random.normal(size=[BATCH, 3]).astype(np.float32),
            },
            random.normal(size=[BATCH, 1]).astype(np.float32),
        )
        for _ in range(STEPS)
    ]


def by_keras(make_optimizer: Any, *, sparse: bool) -> tuple[list[Any], list[Any], list[float]]:
    """Returns the initial weights, the final ones and the losses of Keras's own steps."""
    keras.utils.set_random_seed(3)
    model = net(sparse=sparse)
    before = model.get_weights()
    model.compile(make_optimizer(), "mse", run_eagerly=True)
    losses = []
    for x, y in batches():
        model.reset_metrics()
        losses.append(float(model.train_on_batch({name: x[name] for name in model.input}, y)))
    return before, model.get_weights(), losses


def by_trainer(make_optimizer: Any, weights: list[Any], *, sparse: bool) -> tuple[list[Any], Any]:
    """Returns the final weights, and the opened graph's context, after ``train_step`` ran on the batches."""
    (x, y), *_ = batches()
    source = inspect_source(InMemory(Arrays(x, {"y": y}), batch_size=BATCH))
    opened = open_graph(
        lambda: Wrapped(sparse=sparse), lambda *_: make_optimizer(), source, 0, "off", steps_per_epoch=5
    )
    built = opened.context
    variables = [variable.value for variable in built.model.net.weights]
    with built.graph.as_default(), v1.Session() as session:
        session.run(v1.global_variables_initializer())
        for variable, value in zip(variables, weights, strict=True):
            variable.load(value, session)
        step = built.graph.get_operation_by_name("train_step")
        for x, y in batches():
            session.run(step, {**{f"{name}:0": value for name, value in x.items()}, "y:0": y})
        assert session.run(built.global_step) == STEPS
        return session.run(variables), built


def assert_like_keras(make_optimizer: Any, *, sparse: bool = True) -> Any:
    """Compares the weights after six steps of both; returns the context of the graph."""
    before, expected, _ = by_keras(make_optimizer, sparse=sparse)
    found, built = by_trainer(make_optimizer, before, sparse=sparse)
    assert any(np.any(wanted != start) for wanted, start in zip(expected, before, strict=True))
    for value, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=2e-4, atol=2e-5)
    return built


@pytest.mark.parametrize("name", KERAS)
def test_each_keras_optimizer_does_as_in_fit(name) -> None:
    assert_like_keras(lambda: getattr(OPTIMIZERS, name)(**OPTIONS["all"]))


@pytest.mark.parametrize("option", ["clipnorm", "clipvalue", "ema_overwrite", "own schedule", "function"])
def test_each_option_does_as_in_fit(option) -> None:
    assert_like_keras(lambda: OPTIMIZERS.SGD(**OPTIONS[option]))


@pytest.mark.parametrize("option", OPTIONS)
@pytest.mark.parametrize("name", KERAS)
def test_every_pair_of_optimizer_and_option_does_as_in_fit(name, option) -> None:
    assert_like_keras(lambda: getattr(OPTIMIZERS, name)(**OPTIONS[option]))


class OldNet:
    """Net of plain variables, with a regularizer and a constraint of ``get_variable``."""

    def __init__(self) -> None:
        self.table = v1.get_variable("table", initializer=np.linspace(-1, 1, 15, dtype=np.float32).reshape(5, 3))
        self.w = v1.get_variable(
            "w",
            initializer=np.float32([[0.5], [-0.3], [0.1]]),
            regularizer=tf.nn.l2_loss,
            constraint=lambda w: tf.clip_by_norm(w, 1.0),
        )

    def __call__(self, inputs: Any, training: bool) -> Any:
        looked_up = tf.reduce_mean(tf.gather(self.table, inputs["ids"]), axis=1)
        return {"op": (looked_up + inputs["x"]) @ self.w}

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))


class Averaging(v1.train.Optimizer):  # type: ignore[misc]
    """Optimizer that wraps another one, as old code has it: clips, averages, and wants the global step."""

    def __init__(self) -> None:
        super().__init__(use_locking=False, name="Averaging")
        self.optimizer = v1.train.AdamOptimizer(0.1)
        self.averages = tf.train.ExponentialMovingAverage(0.5)

    def compute_gradients(self, loss: Any, var_list: Any = None, **more: Any) -> Any:
        computed = self.optimizer.compute_gradients(loss * 2.0, var_list, **more)
        return [(tf.clip_by_norm(gradient, 0.5), variable) for gradient, variable in computed]

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: Any = None) -> Any:
        assert global_step is not None
        applied = self.optimizer.apply_gradients(grads_and_vars, global_step, name)
        with tf.control_dependencies([applied]):
            return self.averages.apply([variable for _, variable in grads_and_vars])


class Minimizing(v1.train.GradientDescentOptimizer):  # type: ignore[misc]
    """Optimizer whose ``minimize`` does more than its two parts."""

    def minimize(self, loss: Any, global_step: Any = None, var_list: Any = None, **more: Any) -> Any:
        return super().minimize(3.0 * loss, global_step, var_list, **more)


DECAY = partial(v1.train.exponential_decay, 0.1, decay_steps=2, decay_rate=0.5)
PIECES = partial(v1.train.piecewise_constant, boundaries=[2], values=[0.1, 0.01])

OF_V1 = {
    **{
        name: kind
        for name, kind in sorted(vars(v1.train).items())
        if isinstance(kind, type) and issubclass(kind, v1.train.Optimizer)
        if name not in ("Optimizer", "SyncReplicasOptimizer", "AdagradDAOptimizer")
    },
    "Averaging": lambda _rate: Averaging(),
    "Minimizing": Minimizing,
    "AdagradDAOptimizer": lambda rate: v1.train.AdagradDAOptimizer(rate, v1.train.get_global_step()),
    "MomentumOptimizer": lambda rate: v1.train.MomentumOptimizer(rate, 0.9),
    "nesterov": lambda rate: v1.train.MomentumOptimizer(rate, 0.9, use_nesterov=True),
    "centered": lambda rate: v1.train.RMSPropOptimizer(rate, momentum=0.5, centered=True),
    "fixed loss scale": lambda rate: v1.mixed_precision.MixedPrecisionLossScaleOptimizer(
        v1.train.AdamOptimizer(rate), 8.0
    ),
    "loss scale": lambda rate: v1.mixed_precision.MixedPrecisionLossScaleOptimizer(
        v1.train.AdamOptimizer(rate), "dynamic"
    ),
    "decay": lambda _rate: v1.train.AdamOptimizer(rate_of_step(DECAY, v1.train.get_global_step())),
    "piecewise": lambda _rate: v1.train.AdamOptimizer(rate_of_step(PIECES, v1.train.get_global_step())),
}
"""Optimizers of ``tf.compat.v1.train`` and of a user's own, by a function of the rate."""


def by_session_loop(make_optimizer: Any) -> list[Any]:
    """Returns the weights after a loop that a person writes: ``minimize`` on the total loss, ``session.run``."""
    with tf.Graph().as_default(), v1.Session() as session:
        ids = v1.placeholder(tf.int32, [None, 2])
        x, y = v1.placeholder(tf.float32, [None, 3]), v1.placeholder(tf.float32, [None, 1])
        step, model = v1.train.get_or_create_global_step(), OldNet()
        loss = model.loss(model({"ids": ids, "x": x}, training=True), {"y": y})
        total = loss + v1.losses.get_regularization_loss()
        minimize = make_optimizer().minimize(total, step, [model.table, model.w])
        session.run(v1.global_variables_initializer())
        for inputs, labels in batches():
            session.run(minimize, {ids: inputs["ids"], x: inputs["x"], y: labels})
        values: list[Any] = session.run([model.table, model.w])
        return values


@pytest.mark.parametrize("name", OF_V1)
def test_an_optimizer_of_graph_mode_does_as_in_a_session_loop(name) -> None:
    def make_optimizer() -> Any:
        return OF_V1[name](0.1)

    (x, y), *_ = batches()
    source = inspect_source(InMemory(Arrays(x, {"y": y}), batch_size=BATCH))
    built = open_graph(OldNet, lambda *_: make_optimizer(), source, 0, "off", steps_per_epoch=5).context
    with built.graph.as_default(), v1.Session() as session:
        session.run(v1.global_variables_initializer())
        for x, y in batches():
            session.run("train_step", {**{f"{name}:0": value for name, value in x.items()}, "y:0": y})
        found = session.run([built.model.table, built.model.w])
        assert session.run(built.global_step) == STEPS
    for value, wanted in zip(found, by_session_loop(make_optimizer), strict=True):
        np.testing.assert_allclose(value, wanted, rtol=1e-5, atol=1e-6)
    assert np.linalg.norm(found[1]) <= 1.0001


TAKE_A_RATE = [
    name
    for name, make in OF_V1.items()
    if isinstance(make, type) and name not in ("MixedPrecisionLossScaleOptimizer", "Minimizing")
]


@pytest.mark.parametrize("name", [*TAKE_A_RATE, "AdagradDAOptimizer"])
def test_a_rate_that_a_rollback_scales_is_that_of_each_step(name) -> None:
    (x, y), *_ = batches()
    source = inspect_source(InMemory(Arrays(x, {"y": y}), batch_size=BATCH))

    def after(rate: float, scale: float) -> Any:
        built = open_graph(
            OldNet,
            lambda step, scale: OF_V1[name](rate_of_step(rate, step, scale)),
            source,
            0,
            "off",
            steps_per_epoch=5,
            with_rollback=True,
        ).context
        with built.graph.as_default(), v1.Session() as session:
            session.run(v1.global_variables_initializer())
            for x, y in batches():
                session.run("train_step", {**{f"{name}:0": value for name, value in x.items()}, "y:0": y})
                built.rollback.rate_scale.load(np.float32(scale), session)
            return session.run(built.model.w)

    assert not np.array_equal(after(0.25, 1.0), after(0.25, 0.5))
    np.testing.assert_allclose(after(0.25, 1.0), after(0.25, 1.0))


SCALES = {
    "an optimizer of one's own": lambda: Lookahead(0.1),
    "factor": lambda: OPTIMIZERS.Adam(0.1, loss_scale_factor=1000.0),
    "factor and clipnorm": lambda: OPTIMIZERS.SGD(0.1, loss_scale_factor=1000.0, clipnorm=0.1),
    "dynamic": lambda: OPTIMIZERS.LossScaleOptimizer(OPTIMIZERS.Adam(0.1), dynamic_growth_steps=2),
    "dynamic, with averages": lambda: OPTIMIZERS.LossScaleOptimizer(OPTIMIZERS.SGD(0.1, momentum=0.9, use_ema=True)),
    "skips two steps": lambda: OPTIMIZERS.LossScaleOptimizer(OPTIMIZERS.SGD(0.1), initial_scale=2.0**127),
}


@pytest.mark.parametrize("name", SCALES)
def test_the_loss_is_scaled_as_in_fit(name) -> None:
    assert_like_keras(SCALES[name], sparse=False)


@pytest.mark.parametrize(
    ("make_optimizer", "message"),
    [
        (lambda: "sgd", "it must be a Keras optimizer"),
        (lambda: v1.train.SyncReplicasOptimizer(v1.train.AdamOptimizer(), 2), "use the optimizer that it wraps"),
        (lambda: OPTIMIZERS.Muon(0.1), "Muon cannot train this model"),
        (lambda: OPTIMIZERS.Adam(0.1, loss_scale_factor=8.0), "Adam cannot train this model: .*IndexedSlices"),
    ],
)
def test_what_cannot_train_is_refused_by_name(make_optimizer, message) -> None:
    (x, y), *_ = batches()
    source = inspect_source(InMemory(Arrays(x, {"y": y}), batch_size=BATCH))
    with pytest.raises(RequestError, match=message):
        open_graph(Wrapped, lambda *_: make_optimizer(), source, 0, "off", steps_per_epoch=5)


@pytest.mark.parametrize("wrapped", [False, True])
def test_weight_decay_leaves_out_what_is_named(wrapped) -> None:
    def make_optimizer() -> Any:
        optimizer = OPTIMIZERS.AdamW(0.1, weight_decay=0.5)
        return OPTIMIZERS.LossScaleOptimizer(optimizer) if wrapped else optimizer

    def by_name() -> Any:
        optimizer = make_optimizer()
        exclude_from_weight_decay(optimizer, ["*/bias"])
        return optimizer

    before, _, _ = by_keras(make_optimizer, sparse=False)
    with_all, built = by_trainer(make_optimizer, before, sparse=False)
    found, _ = by_trainer(by_name, before, sparse=False)
    keras_excluding = OPTIMIZERS.AdamW(0.1, weight_decay=0.5)
    keras_excluding.exclude_from_weight_decay(var_names=["bias"])
    is_bias = [variable.name == "bias" for variable in built.model.net.weights]
    biases = [pair for pair, bias in zip(zip(found, with_all, strict=True), is_bias, strict=True) if bias]
    assert not any(np.allclose(with_decay, without, rtol=1e-4) for without, with_decay in biases)
    _, expected, _ = by_keras(lambda: keras_excluding, sparse=False)
    for value, wanted in zip(found, expected, strict=True):
        np.testing.assert_allclose(value, wanted, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("make_optimizer", "message"),
    [
        (lambda: OPTIMIZERS.SGD(0.1), "needs an optimizer with weight_decay"),
        (lambda: v1.train.AdamOptimizer(), "needs an optimizer with weight_decay"),
        (lambda: OPTIMIZERS.AdamW(0.1), "'biass' matches no variable"),
    ],
)
def test_exclusions_without_an_effect_are_refused(make_optimizer, message) -> None:
    with tf.Graph().as_default():
        v1.get_variable("bias", [1])
        with pytest.raises(RequestError, match=message):
            exclude_from_weight_decay(make_optimizer(), ["biass"])


class Half(Wrapped):
    """The net with the policy of float16."""

    def __init__(self) -> None:
        policy = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_float16")
        try:
            super().__init__(sparse=False)
        finally:
            keras.config.set_dtype_policy(policy)

    def loss(self, outputs: Any, labels: Any) -> Any:
        return tf.reduce_mean(tf.square(tf.cast(outputs["op"], tf.float32) - labels["y"]))


@pytest.mark.parametrize(
    ("make_optimizer", "scales", "message"),
    [
        (lambda: OPTIMIZERS.SGD(0.1), True, "the loss is scaled as keras.Model.fit does it"),
        (lambda: OPTIMIZERS.SGD(0.1, loss_scale_factor=1.0), False, None),
        (lambda: OPTIMIZERS.LossScaleOptimizer(OPTIMIZERS.SGD(0.1)), True, None),
        (lambda: v1.train.GradientDescentOptimizer(0.1), False, "does not scale the loss"),
    ],
)
def test_a_model_of_float16_gets_a_loss_scale_as_in_fit(caplog, make_optimizer, scales, message) -> None:
    caplog.set_level("INFO")
    (x, y), *_ = batches()
    source = inspect_source(InMemory(Arrays({"x": x["x"]}, {"y": y}), batch_size=BATCH))
    built = open_graph(Half, lambda *_: make_optimizer(), source, 0, "off", steps_per_epoch=5).context
    assert built.skips_steps == scales
    assert ("float16" in caplog.text) == (message is not None)
    assert message is None or message in caplog.text
    assert any("dynamic_scale" in each.op.name for each in built.graph.get_collection("variables")) == scales


def test_a_learning_rate_outside_of_the_steps_is_refused() -> None:
    def make_optimizer(step: Any, _scale: Any) -> Any:
        return v1.train.AdamOptimizer(v1.train.exponential_decay(0.1, step, 10, 0.5))

    (x, y), *_ = batches()
    source = inspect_source(InMemory(Arrays(x, {"y": y}), batch_size=BATCH))
    with pytest.raises(RequestError, match="made outside of it from the variable 'global_step'"):
        open_graph(OldNet, make_optimizer, source, 0, "off", steps_per_epoch=5)
