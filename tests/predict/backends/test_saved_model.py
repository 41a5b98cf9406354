"""SavedModels opened as predictors."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from trainer.predict.backends.dispatch import open_predictor


class Twice(tf.Module):
    """Has no graph until it is saved."""

    def __init__(self) -> None:
        super().__init__()
        self.two = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def __call__(self, x: Any) -> Any:
        return {"y": self.two * x}


def test_a_saved_model_of_eager_tensorflow(tmp_path) -> None:
    with tf.init_scope():
        model = Twice()
        tf.saved_model.save(model, str(tmp_path / "model"), signatures=model.__call__)
    with open_predictor(tmp_path / "model") as predictor:
        assert predictor(x=[1, 2.5])["y"].tolist() == [2.0, 5.0]
