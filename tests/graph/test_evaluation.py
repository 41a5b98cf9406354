"""Metrics over the validation examples."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from callbacks.evaluate import Evaluate
from tests.helpers import points, run
from trainer.callback import Callback, Context
from trainer.data.arrays import InMemory

v1 = tf.compat.v1


def test_evaluation_is_the_mean_over_all_validation_examples(tmp_path) -> None:
    """11 examples in batches of 8: the short last batch counts for what it is."""

    class Look(Callback):
        values: dict[str, float]

        def on_train_end(self, context: Context) -> None:
            w, b = context.session.run(context.session.graph.get_collection(v1.GraphKeys.TRAINABLE_VARIABLES))
            self.values = {"w": w, "b": b, **context.record.metrics}

    data, look = InMemory(points(44), batch_size=8, validation=0.25), Look()
    run(tmp_path / "run", {"evaluate": Evaluate(), "look": look}, data=data)
    x, y = data.validation.inputs["x"], data.validation.labels["y"]
    errors = x @ look.values["w"] + look.values["b"] - y
    assert len(x) == 11
    assert look.values["val_loss"] == pytest.approx(np.mean(errors**2), rel=1e-5)
    assert look.values["val_error"] == pytest.approx(np.mean(np.abs(errors)), rel=1e-5)
