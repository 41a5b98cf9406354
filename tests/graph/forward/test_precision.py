"""Precision of Keras layers in a run: as in ``fit`` under Keras's policy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.helpers import assert_same_bits, points, run, variables
from trainer.config.changes import check_changes, digest
from trainer.data.arrays import InMemory
from trainer.errors import RequestError
from trainer.graph.forward.precision import computed_in
from trainer.models.keras_model import KerasModel
from trainer.state import PRECISIONS

layers = keras.layers


def net():
    first = layers.Dense(8, "tanh", kernel_initializer=keras.initializers.GlorotUniform(seed=1))
    last = layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=2), dtype="float32")
    return keras.Sequential([keras.Input((2,)), first, last])


def of_fit(precision):
    with computed_in(precision):
        keras.utils.clear_session()
        keras.config.set_dtype_policy(precision)
        made = net()
        made.compile(keras.optimizers.SGD(0.05), "mse")
    examples = points()
    return made.fit(examples.inputs["x"], examples.labels["y"], batch_size=40, epochs=3, verbose=0).history["loss"][-1]


def trained(directory, precision, **more):
    parts = {"data": InMemory(points(), batch_size=40), "make_model": lambda: KerasModel(net, "mse"), **more}
    return run(directory, make_optimizer=lambda *_: keras.optimizers.SGD(0.05), precision=precision, **parts)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_loss_is_that_of_fit_and_variables_stay_float32(precision, tmp_path) -> None:
    loss = trained(tmp_path / "run", precision).metrics["loss"]
    assert loss == pytest.approx(of_fit(precision), rel=2e-3 if precision != "float32" else 1e-5)
    stored = variables(tmp_path / "run/checkpoints/model-3")
    assert stored["sequential/dense/kernel"].dtype == np.float32
    scaled = any("dynamic_scale" in name for name in stored)
    assert scaled == (precision == "mixed_float16")
    assert keras.config.dtype_policy().name == "float32"


def test_each_precision_gives_other_numbers(tmp_path) -> None:
    found = {each: trained(tmp_path / each, each).metrics["loss"] for each in PRECISIONS}
    assert len(set(found.values())) == len(PRECISIONS)


def test_a_resume_has_the_same_bits(tmp_path) -> None:
    trained(tmp_path / "straight", "mixed_float16", epochs=4)
    trained(tmp_path / "broken", "mixed_float16", epochs=2)
    trained(tmp_path / "broken", "mixed_float16", epochs=4)
    assert_same_bits(tmp_path / "straight/checkpoints/model-4", tmp_path / "broken/checkpoints/model-4")


def test_the_policy_of_the_process_holds_where_none_is_given(tmp_path) -> None:
    given = trained(tmp_path / "given", "mixed_bfloat16").metrics["loss"]
    with computed_in("mixed_bfloat16"):
        assert trained(tmp_path / "policy", None).metrics["loss"] == given


def test_a_model_without_layers_is_told(tmp_path, caplog) -> None:
    run(tmp_path / "run", epochs=1, precision="mixed_bfloat16")
    assert "precision=mixed_bfloat16 changes nothing: Line has no Keras layers" in caplog.text


def test_another_value_is_refused(tmp_path) -> None:
    with pytest.raises(RequestError, match=r"precision .'half'.*mixed_bfloat16"):
        run(tmp_path / "run", precision="half")
    assert not (tmp_path / "run").exists()
    assert keras.config.dtype_policy().name == "float32"


def test_a_resume_refuses_another_precision() -> None:
    before, now = {"precision": None}, {"precision": "mixed_bfloat16"}
    with pytest.raises(RequestError, match=r"precision: .* -> mixed_bfloat16"):
        check_changes(before, now, allow=False)
    assert digest(before) != digest(now)
