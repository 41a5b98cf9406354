"""Runs of a net of the zoo, and plain TensorFlow that reads what they left or computes the same by hand."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import job, variables
from tests.zoo.nets import EXAMPLES, Net
from trainer.callback import Callback, Context
from trainer.data.arrays import InMemory
from trainer.state import StepMetrics
from trainer.training.train import train_job

v1 = tf.compat.v1

OPTIMIZER = re.compile("sgd(_[0-9]+)?/", re.IGNORECASE)
"""Names of the optimizer's variables."""

RATE = 0.1
SEED = 3


class Stop(Callback):
    """Callback that breaks a run off, without any save, after a call into the graph that reaches a step."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_call_end(self, context: Context, steps: StepMetrics) -> None:
        if steps.first_step + len(steps.values) > self._step:
            raise KeyboardInterrupt


class Specimen:
    """A net of the zoo with its runs, each made when it is first asked for.

    Args:
        net: Class of the net.
        directory: Directory of the runs.
    """

    def __init__(self, net: type[Net], directory: Path) -> None:
        self.net = net
        self.directory = directory
        data = net.data()
        self.steps_per_epoch = data.steps_per_epoch if isinstance(data, InMemory) else EXAMPLES // data.batch_size

    def train(self, name: str, callbacks: Mapping[str, Callback], **changes: Any) -> Path:
        """Trains in a directory of this name and returns the directory of its checkpoints."""
        parts: dict[str, Any] = {
            "make_model": self.net,
            "make_optimizer": lambda _step, _scale: keras.optimizers.Adam(0.01),
            "data": self.net.data(),
            "epochs": 3,
            "seed": SEED,
            "compile": "auto",
        }
        train_job(job(self.directory / name, callbacks, **{**parts, **changes}))
        return self.directory / name / "checkpoints"

    @cached_property
    def straight(self) -> Path:
        """Three epochs at one go, saved in the background, exported at the end."""
        exports = {"freeze": Freeze(), "saved_model": SavedModel()}
        return self.train("straight", {"checkpoint": Checkpoint(max_to_keep=0), **exports})

    @cached_property
    def resumed(self) -> Path:
        """The same, saved in the foreground, broken off inside the last epoch and resumed with shorter calls."""
        saver = {"checkpoint": Checkpoint(max_to_keep=0, background=False)}
        with contextlib.suppress(KeyboardInterrupt):
            broken_off_at = 2 * self.steps_per_epoch + 1
            self.train("resumed", {**saver, "stop": Stop(broken_off_at)}, steps_per_call=1)
        return self.train("resumed", saver, steps_per_call=2)

    @cached_property
    def plain(self) -> Path:
        """The same without XLA."""
        return self.train("plain", {"checkpoint": Checkpoint()}, compile="off")

    @cached_property
    def by_descent(self) -> Path:
        """Four steps of gradient descent, each on all examples in their order, with a checkpoint each."""
        data = self.net.data(len(self.net.arrays()), shuffle=False)
        if hasattr(data, "shuffle_buffer"):
            data.shuffle_buffer = 0
        return self.train(
            "descent",
            {"checkpoint": Checkpoint(max_to_keep=0)},
            make_optimizer=lambda _step, _scale: keras.optimizers.SGD(RATE),
            data=data,
            epochs=4,
        )

    def example(self) -> dict[str, Any]:
        """Returns the first inputs."""
        return {name: values[:4] for name, values in self.net.arrays().inputs.items()}


@contextlib.contextmanager
def restored(prefix: Path) -> Iterator[Any]:
    """Opens a checkpoint with plain TensorFlow: the graph of its ``.meta``, its Saver, a session."""
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        v1.train.import_meta_graph(f"{prefix}.meta").restore(session, str(prefix))
        session.run(v1.tables_initializer())
        yield session


def live_outputs(prefix: Path, example: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the outputs of a checkpoint's inference part, by name."""
    with restored(prefix) as session:
        signature = signature_of(prefix)
        fed = {signature.inputs[name].name: value for name, value in example.items() if name in signature.inputs}
        return {name: session.run(info.name, fed) for name, info in signature.outputs.items()}


def signature_of(prefix: Path) -> Any:
    meta = v1.MetaGraphDef.FromString(Path(f"{prefix}.meta").read_bytes())
    return meta.signature_def["serving_default"]


def frozen_outputs(file: Path, names: list[str], example: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the outputs of a frozen graph, by name."""
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        tf.import_graph_def(v1.GraphDef.FromString(file.read_bytes()), name="")
        nodes = {operation.name for operation in graph.get_operations()}
        if "init_all_tables" in nodes:
            session.run("init_all_tables")
        fed = {f"{name}:0": value for name, value in example.items() if name in nodes}
        return {name: session.run(f"{name}:0", fed) for name in names}


def saved_model_outputs(directory: Path, example: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the outputs of a SavedModel's signature, by name."""
    with tf.Graph().as_default(), v1.Session() as session:
        signature = v1.saved_model.load(session, ["serve"], str(directory)).signature_def["serving_default"]
        fed = {signature.inputs[name].name: value for name, value in example.items() if name in signature.inputs}
        return {name: session.run(info.name, fed) for name, info in signature.outputs.items()}


def descended(net: type[Net], start: Path, steps: range) -> list[Any]:
    """Returns the model's variables after steps of gradient descent in eager mode, in order of creation.

    Args:
        net: Class of the net.
        start: Checkpoint from which the variables start.
        steps: Global steps before each update; with ``SEED`` the seed of a model that takes one.
    """
    # The first process of a net may have made layers already; names are compared, so numbering starts anew.
    keras.utils.clear_session()
    made: list[Any] = []

    def creator(make: Any, **arguments: Any) -> Any:
        made.append(make(**arguments))
        return made[-1]

    arrays = net.arrays()
    inputs, labels = ({n: tf.constant(v) for n, v in part.items()} for part in (arrays.inputs, arrays.labels))
    with tf.init_scope(), tf.variable_creator_scope(creator):
        model = net()
        takes_seed = "seed" in net.__call__.__code__.co_varnames
        model(inputs, training=False, **({"seed": tf.constant([SEED, 0])} if takes_seed else {}))
    for variable, value in zip(made, in_order_of_creation(start), strict=True):
        variable.assign(value)
    for step in steps:
        seed = {"seed": tf.constant([SEED, step])} if takes_seed else {}
        with tf.GradientTape() as tape:
            loss = model.loss(model(inputs, training=True, **seed), labels)
        trained = [variable for variable in made if variable.trainable]
        for variable, gradient in zip(trained, tape.gradient(loss, trained), strict=True):
            if gradient is not None:
                variable.assign_sub(tf.cast(RATE, variable.dtype) * tf.convert_to_tensor(gradient))
    return [variable.numpy() for variable in made]


def in_order_of_creation(prefix: Path) -> list[Any]:
    """Returns the values of the model's variables in a checkpoint, as they were made in the graph."""
    with tf.Graph().as_default():
        v1.train.import_meta_graph(f"{prefix}.meta")
        names = [variable.op.name for variable in v1.global_variables()]
    stored = variables(prefix)
    return [stored[name] for name in names if name != "global_step" and not OPTIMIZER.match(name)]


def keys_and_bytes(prefix: Path) -> dict[str, tuple[Any, ...]]:
    """Returns dtype, shape and bytes of everything in a checkpoint."""
    return {name: (value.dtype, value.shape, np.asarray(value).tobytes()) for name, value in variables(prefix).items()}
