"""Nets of some size: start-up, steps, exports and whole runs, against Keras and the plain calls of TensorFlow."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.processes import Figures, in_a_process, medians

EXAMPLES, BATCH = 384, 32
EPOCHS = {"MobileNetV2": 3}
"""Epochs of 12 steps, for nets that have other than 20."""


def _mobile() -> Any:
    import keras

    return keras.applications.MobileNetV2(weights=None, input_shape=(32, 32, 3), classes=10, classifier_activation=None)


def _lstm() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential([keras.Input((20, 8)), layers.LSTM(32), layers.Dense(10)])


def _transformer() -> Any:
    import keras

    layers = keras.layers
    inputs = keras.Input((20, 64))
    x = inputs
    for _ in range(4):
        attended = layers.MultiHeadAttention(4, 16)(x, x)
        x = layers.LayerNormalization()(x + attended)
        x = layers.LayerNormalization()(x + layers.Dense(64)(layers.Dense(128, activation="relu")(x)))
    return keras.Model(inputs, layers.Dense(10)(layers.GlobalAveragePooling1D()(x)))


def _deep(count: int) -> Any:
    import keras

    stack = [keras.layers.Dense(8, activation="relu") for _ in range(count)]
    return keras.Sequential([keras.Input((8,)), *stack, keras.layers.Dense(10)])


NETS: dict[str, Callable[[], Any]] = {
    "MobileNetV2": _mobile,
    "LSTM": _lstm,
    "transformer": _transformer,
    "50 layers": lambda: _deep(50),
    "500 layers": lambda: _deep(500),
}


def examples(net: Any) -> tuple[Any, Any]:
    """Returns examples of noise, and their classes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(EXAMPLES, *net.inputs[0].shape[1:])).astype(np.float32)
    return x, rng.integers(0, 10, EXAMPLES).astype(np.int32)


def compiled(name: str) -> Any:
    """Returns a net as a Keras user compiles it."""
    import keras

    net = NETS[name]()
    net.compile(keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return net


def measure_net(name: str, contender: str) -> Figures:
    """Worker: seconds of the start-up, rate, and seconds of the end of one contender.

    Args:
        name: Name of the net.
        contender: ``trainer``, ``keras`` or ``plain``, the exports that TensorFlow has.
    """
    measure = {"trainer": _trainer, "keras": _keras, "plain": _plain}[contender]
    with tempfile.TemporaryDirectory() as folder:
        return {f"{name}: {contender} {what}": value for what, value in measure(name, Path(folder)).items()}


def _trainer(name: str, folder: Path) -> Figures:
    import keras

    from callbacks.checkpoint import Checkpoint
    from callbacks.freeze import Freeze
    from callbacks.metrics import Metrics
    from callbacks.saved_model import SavedModel
    from trainer.callback import Callback, Phase
    from trainer.data.arrays import Arrays, InMemory
    from trainer.models.keras_model import KerasModel
    from trainer.training.callback_list import CallbackList
    from trainer.training.job import Job
    from trainer.training.resume import Request, decide
    from trainer.training.train import train_job

    ends: list[tuple[float, int]] = []

    class Watch(Callback):
        """Recorder of the end of each call."""

        def on_call_end(self, _context: Any, steps: Any) -> None:
            ends.append((time.perf_counter(), steps.first_step + len(steps.values)))

    watched: dict[str, Callback] = {"watch": Watch(), "metrics": Metrics(), "checkpoint": Checkpoint()}
    callbacks = CallbackList({**watched, "freeze": Freeze(), "saved_model": SavedModel()})
    x, y = examples(NETS[name]())
    keras.utils.clear_session()
    start = decide(Request("auto", folder, "net", folder / "run", ("model",), datetime(2026, 1, 1)))
    began = time.perf_counter()
    train_job(
        Job(
            name="net",
            callbacks=callbacks,
            start=start,
            make_model=lambda: KerasModel(compiled(name)),
            make_optimizer=lambda _step, _scale: keras.optimizers.SGD(0.01),
            data=InMemory(Arrays({"x": x}, {"y": y}), BATCH),
            epochs=EPOCHS.get(name, 20),
        )
    )
    whole = time.perf_counter() - began
    half = next(i for i, (_, step) in enumerate(ends) if step >= EXAMPLES // BATCH)
    rate = (ends[-1][1] - ends[half][1]) / (ends[-1][0] - ends[half][0])
    exports = callbacks.secs_of(Phase.EXPORT)
    return {"start-up, secs": ends[0][0] - began, "steps/s": rate, "exports, secs": exports, "whole, secs": whole}


def _keras(name: str, folder: Path) -> Figures:
    import keras

    x, y = examples(NETS[name]())
    keras.utils.clear_session()
    began = time.perf_counter()
    net = compiled(name)
    ends: list[float] = []
    note = keras.callbacks.LambdaCallback(on_train_batch_end=lambda _batch, **_: ends.append(time.perf_counter()))
    net.fit(x, y, batch_size=BATCH, epochs=EPOCHS.get(name, 20), verbose=0, callbacks=[note])
    net.save(folder / "net.keras")
    net.export(folder / "saved_model", verbose=False)
    whole = time.perf_counter() - began
    steps = EXAMPLES // BATCH
    rate = (len(ends) - 1 - steps) / (ends[-1] - ends[steps])
    return {"start-up, secs": ends[0] - began, "steps/s": rate, "whole, secs": whole}


def _plain(name: str, folder: Path) -> Figures:
    """Freezes and saves the inference part with TensorFlow's own functions, and loads both once."""
    import tensorflow as tf

    v1 = tf.compat.v1
    x, _ = examples(NETS[name]())
    with tf.Graph().as_default() as graph, v1.Session() as session:
        fed = v1.placeholder(tf.float32, [None, *x.shape[1:]], name="x")
        output = tf.identity(NETS[name]()(fed, training=False), name="op")
        session.run(v1.global_variables_initializer())
        began = time.perf_counter()
        frozen = v1.graph_util.convert_variables_to_constants(session, graph.as_graph_def(), ["op"])
        (folder / "model.pb").write_bytes(frozen.SerializeToString())
        builder = v1.saved_model.Builder(str(folder / "saved"))
        signature = v1.saved_model.predict_signature_def({"x": fed}, {"op": output})
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(v1.GraphDef.FromString((folder / "model.pb").read_bytes()), name="")
        session.run("op:0", {"x:0": x[:BATCH]})
    with tf.Graph().as_default(), v1.Session() as session:
        v1.saved_model.load(session, ["serve"], str(folder / "saved"))
        session.run("op:0", {"x:0": x[:BATCH]})
    return {"exports, secs": time.perf_counter() - began}


def compare_nets(rounds: int) -> Figures:
    """Returns the figures of all nets, and the ratios that matter."""
    figures: Figures = {}
    for name in NETS:
        measured = []
        for _ in range(rounds):
            found: Figures = {}
            for contender in ("trainer", "keras", "plain"):
                found |= in_a_process("net", name=name, contender=contender)
            measured.append(found)
        one = medians(measured)
        for what in ("start-up, secs", "steps/s", "whole, secs"):
            one[f"{name}: trainer / keras {what}"] = one[f"{name}: trainer {what}"] / one[f"{name}: keras {what}"]
        of_plain = one[f"{name}: plain exports, secs"]
        one[f"{name}: trainer / plain exports"] = one[f"{name}: trainer exports, secs"] / of_plain
        figures |= one
    for what in ("start-up, secs", "exports, secs"):
        deep, shallow = (figures[f"{count} layers: trainer {what}"] for count in (500, 50))
        figures[f"500 layers / 50 layers: {what}"] = deep / shallow
    return figures
