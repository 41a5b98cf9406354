"""Averages of the weights: in evaluations and exports by default, never in the checkpoint in the variables' place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from callbacks.checkpoint import Checkpoint
from callbacks.evaluate import Evaluate
from callbacks.freeze import Freeze
from callbacks.saved_model import SavedModel
from tests.helpers import Line, assert_same_bits, points, run, variables
from trainer.checkpoints.analysis.average import average
from trainer.checkpoints.record import read_record
from trainer.data.arrays import InMemory
from trainer.errors import RequestError
from trainer.export.from_checkpoint import export_checkpoint, freeze_checkpoint
from trainer.predict.backends.dispatch import open_predictor

v1 = tf.compat.v1

X = np.float32([[1.0, 2.0], [-0.5, 3.0]])


def keras_ema(*_: Any) -> Any:
    return keras.optimizers.Adam(0.05, use_ema=True, ema_momentum=0.5)


class Averaging(v1.train.AdamOptimizer):  # type: ignore[misc]
    """Optimizer that keeps averages, as old code has it."""

    def __init__(self) -> None:
        super().__init__(0.05)
        self.averages = tf.train.ExponentialMovingAverage(0.5)

    def apply_gradients(self, grads_and_vars: Any, global_step: Any = None, name: Any = None) -> Any:
        pairs = list(grads_and_vars)
        with tf.control_dependencies([super().apply_gradients(pairs, global_step, name)]):
            return self.averages.apply([variable for _, variable in pairs])


def trained(directory: Path, make_optimizer: Any = keras_ema, weights: str | None = None, **changes: Any) -> Path:
    """Trains two epochs with an evaluation, and returns the run."""
    callbacks = {
        "evaluate": Evaluate(weights=weights),
        "checkpoint": Checkpoint(keep_best=1, monitor="val_loss"),
        "freeze": Freeze(weights=weights),
        "best": Freeze(weights=weights, which="best", name="best"),
        "saved_model": SavedModel(weights=weights),
    }
    data = InMemory(points(), batch_size=8, validation=0.2)
    run(directory, callbacks, **{"epochs": 2, "make_optimizer": make_optimizer, "data": data, **changes})
    return directory


def both(prefix: Path, x: Any = X) -> tuple[Any, Any]:
    """Returns the outputs of the averages and of the trained weights, computed from the checkpoint."""
    stored = variables(prefix)

    def average(name: str) -> Any:
        ends = (f"/{name}_0_average", f"{name}/ExponentialMovingAverage")
        return next(value for key, value in stored.items() if key.endswith(ends))

    return x @ average("w") + average("b"), x @ stored["w"] + stored["b"]


def predicted(path: Path, **choice: Any) -> Any:
    """Returns the prediction of any format for X."""
    with open_predictor(path, **choice) as predictor:
        return predictor(x=X)["op"]


@pytest.mark.parametrize("make_optimizer", [keras_ema, lambda *_: Averaging()])
def test_averages_are_evaluated_and_exported_and_the_checkpoint_keeps_both(tmp_path, make_optimizer) -> None:
    found = trained(tmp_path / "run", make_optimizer)
    averaged, raw = both(found / "checkpoints/model-2")
    assert np.abs(averaged - raw).max() > 1e-3
    exports = [found / "export/frozen/model.pb", found / "export/frozen/best.pb", found / "export/saved_model", found]
    exports += [
        freeze_checkpoint(found, tmp_path / "again.pb"),
        export_checkpoint(found, tmp_path / "again"),
        freeze_checkpoint(found, tmp_path / "averaged.pb", weights="averaged"),
    ]
    for each in exports:
        np.testing.assert_allclose(predicted(each), averaged, rtol=1e-5)
    np.testing.assert_allclose(predicted(freeze_checkpoint(found, tmp_path / "raw.pb", weights="trained")), raw, 1e-5)
    np.testing.assert_allclose(predicted(found, weights="trained"), raw, 1e-5)
    assert json.loads((found / "export/frozen/model.json").read_text())["weights"] == "averaged"
    validation = InMemory(points(), batch_size=8, validation=0.2).validation.all
    outputs, _ = both(found / "checkpoints/model-2", validation["x"])
    val_loss = read_record(found / "checkpoints/model-2.json").metrics["val_loss"]
    assert val_loss == pytest.approx(float(np.mean((outputs - validation["y"]) ** 2)), rel=1e-4)


def test_trained_weights_as_chosen(tmp_path) -> None:
    found = trained(tmp_path / "run", weights="trained")
    _, raw = both(found / "checkpoints/model-2")
    for each in (found / "export/frozen/model.pb", found / "export/saved_model"):
        np.testing.assert_allclose(predicted(each), raw, rtol=1e-5)


def test_an_evaluation_with_averages_changes_no_bit_of_the_training(tmp_path) -> None:
    found = trained(tmp_path / "run", epochs=1)
    trained(found, epochs=3)
    run(tmp_path / "straight", epochs=3, make_optimizer=keras_ema, data=InMemory(points(), 8, validation=0.2))
    assert_same_bits(found / "checkpoints/model-3", tmp_path / "straight/checkpoints/model-3")


def test_the_mean_of_checkpoints_is_also_the_mean_of_their_averages(tmp_path) -> None:
    found = trained(tmp_path / "run") / "checkpoints"
    made = average([found / "model-1", found / "model-2"], tmp_path / "mean")
    outputs = [both(found / f"model-{number}")[0] for number in (1, 2)]
    np.testing.assert_allclose(predicted(made.prefix), np.mean(outputs, axis=0), rtol=1e-5)


class AllSkipped(keras.optimizers.LossScaleOptimizer):  # type: ignore[misc]
    """Optimizer that finds no gradient finite, so that its averages have no value yet."""

    def check_finite(self, grads: Any) -> Any:
        return tf.constant(value=False)


def test_averages_without_a_value_yet_are_not_used(tmp_path) -> None:
    found = trained(tmp_path / "run", lambda *_: AllSkipped(keras.optimizers.SGD(0.1, use_ema=True)))
    averaged, raw = both(found / "checkpoints/model-2")
    assert not averaged.any()
    for each in (found / "export/frozen/model.pb", found / "export/frozen/best.pb", found):
        np.testing.assert_allclose(predicted(each), raw, rtol=1e-5)


@pytest.mark.parametrize("callback", [Evaluate, Freeze, SavedModel])
def test_averages_that_nobody_keeps_are_refused(tmp_path, callback) -> None:
    with pytest.raises(RequestError, match="weights=averaged needs an optimizer that keeps averages"):
        run(tmp_path / "run", {"it": callback(weights="averaged")})
    with pytest.raises(ValueError, match=r"weights \('mean'\) is not known"):
        callback(weights="mean")
    assert not (tmp_path / "run").exists()


def test_averages_of_a_graph_from_code_need_names_or_a_choice(tmp_path) -> None:
    run(tmp_path / "run", {"save": Checkpoint(write_meta_graph="never")}, epochs=1, make_optimizer=keras_ema)
    parts = {"parts": lambda: (Line, InMemory(points(), batch_size=8))}
    with pytest.raises(RequestError, match=r"no \.meta says of which variables; choose weights=trained"):
        freeze_checkpoint(tmp_path / "run", tmp_path / "a.pb", **parts)
    _, raw = both(tmp_path / "run/checkpoints/model-1")
    frozen = freeze_checkpoint(tmp_path / "run", tmp_path / "a.pb", weights="trained", **parts)
    np.testing.assert_allclose(predicted(frozen), raw, rtol=1e-5)
