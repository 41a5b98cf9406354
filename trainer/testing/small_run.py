"""Short real runs of a small model, whose end is chosen."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from trainer.api.default_callbacks import with_defaults
from trainer.callback import Callback, Context
from trainer.data.arrays import Array, Arrays, InMemory
from trainer.errors import Interrupted
from trainer.runs.settings import Settings
from trainer.schedule import Schedule
from trainer.tensorflow_import import SessionSettings
from trainer.training.callback_list import CallbackList
from trainer.training.preparation import prepare
from trainer.training.train import train_job

if TYPE_CHECKING:
    from trainer.graph.build import GraphContext

v1 = tf.compat.v1

EPOCHS, STEPS = 3, 4
"""Length of a run: epochs, and the steps of one."""

LOGGED_STEPS = 3
"""Steps of a row of ``on_log``; none of the ends falls on one."""

MIDDLE = STEPS + 2
"""Step in mid-epoch at which a run is interrupted, fails or is stopped."""

ENDS = ("all epochs", "stop", "error", "interrupt")


class SmallLine:
    """Linear model with one metric.

    Example:
        >>> with tf.Graph().as_default():
        ...     SmallLine()({"x": tf.zeros([3, 2])}, training=False)["op"].shape.as_list()
        [3, 1]
    """

    def __init__(self) -> None:
        self.w = v1.get_variable("w", [2, 1])
        self.b = v1.get_variable("b", [1], initializer=v1.zeros_initializer())

    def __call__(self, inputs: Any, training: bool) -> Any:  # noqa: ARG002 - the contract of a model
        """Returns the output ``op``."""
        return {"op": inputs["x"] @ self.w + self.b}

    def loss(self, outputs: Any, labels: Any) -> Any:
        """Returns the mean squared error."""
        return tf.reduce_mean(tf.square(outputs["op"] - labels["y"]))

    def metrics(self, outputs: Any, labels: Any) -> Any:
        """Returns the mean absolute ``error``."""
        return {"error": tf.reduce_mean(tf.abs(outputs["op"] - labels["y"]))}


class ChosenError(Exception):
    """Error that ends a run, since the end was chosen so."""


@dataclass
class Ending(Callback):
    """Callback and source of requests that ends a run in a chosen way, and records what the run did.

    Args:
        end: One of ``ENDS``.
        values: Values of all variables by name, at each stop by its step.
        reported: Metrics in the record by the step of the stop.
        announced: Names of the metrics that steps and callbacks announce.
    """

    end: str
    values: dict[int, dict[str, Array]] = field(default_factory=dict)
    reported: dict[int, set[str]] = field(default_factory=dict)
    announced: tuple[str, ...] = ()
    asked: bool = False

    schedule = Schedule(every_n_steps=2)

    def on_build(self, build: GraphContext) -> None:
        """Takes the names of the metrics and of the variables."""
        self.announced = tuple(build.reported_metrics)
        self._variables = {each.op.name: each for each in build.graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)}

    def on_step_end(self, context: Context) -> None:
        """Records, and asks for the end."""
        step = context.record.global_step
        self.values[step] = context.session.run(self._variables)
        self.reported[step] = set(context.record.metrics)
        if step == MIDDLE and self.end == "stop":
            context.request_stop("asked for by the check")
        if step == MIDDLE and self.end == "error":
            raise ChosenError
        self.asked = step == MIDDLE and self.end == "interrupt"

    def check(self) -> None:
        """Raises ``Interrupted`` where the end is an interrupt."""
        if self.asked:
            self.asked = False
            raise Interrupted(signal.SIGINT, "SIGINT")

    def at_once(self) -> AbstractContextManager[None]:
        """Returns a block without effect."""
        return nullcontext()

    def take_save_request(self) -> bool:
        """Returns False."""
        return False


def run_to(end: str, directory: Path, callbacks: Mapping[str, Callback]) -> Ending:
    """Runs, or goes on with the run in the directory, to an end.

    Args:
        end: One of ``ENDS``.
        directory: Directory of the run.
        callbacks: Callbacks besides the default ones.

    Returns:
        Record of the run.

    Raises:
        Exception: Whatever the run raised, but for the chosen end.
    """
    ending = Ending(end)
    listed = CallbackList({**with_defaults(callbacks, quiet=True), "ending": ending})
    settings = Settings(
        root=directory.parent,
        name="check",
        run_dir=directory,
        resume="auto",
        may_change=True,
        warm_start=None,
        trainable=None,
        seed=0,
        epochs=EPOCHS,
        steps_per_epoch=None,
        steps_per_call=None,
        log_every_n_steps=LOGGED_STEPS,
        compile="off",
        session=SessionSettings(),
    )
    run = prepare(settings, listed, lambda _run: [])
    make: Callable[[Any, Any], Any] = lambda _step, _scale: keras.optimizers.SGD(0.05, momentum=0.9)  # noqa: E731
    data = InMemory(_points(), batch_size=3, validation=0.25)
    job = run.job(make_model=SmallLine, make_optimizer=make, data=data, rate_can_be_scaled=True)
    try:
        train_job(job, ending)
    except Interrupted:
        if end != "interrupt":
            raise
    except Exception as error:
        if end != "error" or not isinstance(error.__cause__, ChosenError):
            raise
    return ending


def _points() -> Arrays:
    x = np.random.default_rng(1).normal(size=(STEPS * 4, 2)).astype(np.float32)
    return Arrays({"x": x}, {"y": x[:, :1] * 2 - x[:, 1:] + np.float32(0.5)})
