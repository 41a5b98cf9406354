"""Several optimizers as `trainer.fit` takes them: names, objects and functions, made anew in the graph."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

import trainer
from tests.graph.optimizers.test_optimizer_parts import real
from tests.graph.steps.test_updates import Gan
from tests.helpers import assert_same_bits, variables
from trainer.errors import RequestError

v1 = tf.compat.v1


def parts(d: Any = "adam", g: Any = "sgd", in_turn: Any = ("d", "g"), **of_g: Any) -> trainer.Optimizers:
    given = {
        "d": trainer.OptimizerPart(d, ["d/*"], "d_loss"),
        "g": trainer.OptimizerPart(g, ["g/*"], "g_loss", **of_g),
    }
    return trainer.Optimizers(given, None if in_turn is None else list(in_turn))


def fit(directory: Any, optimizer: Any, epochs: int = 2, **changes: Any) -> trainer.Result:
    settings = {"batch_size": 8, "verbose": False, "compile": "off", **changes}
    return trainer.fit(Gan, real(), optimizer, epochs=epochs, directory=directory, **settings)


def newest(directory: Any) -> Any:
    return tf.train.latest_checkpoint(str(directory / "checkpoints"))


def test_names_objects_and_functions_are_the_same(tmp_path) -> None:
    objects = parts(keras.optimizers.Adam(), keras.optimizers.SGD())
    fit(tmp_path / "names", parts())
    fit(tmp_path / "objects", objects)
    fit(tmp_path / "again", objects)
    fit(tmp_path / "function", lambda: parts(keras.optimizers.Adam(), keras.optimizers.SGD()))
    weights = [variables(newest(tmp_path / name)) for name in ("names", "objects", "again", "function")]
    assert weights[0]["g/a"].shape == (2, 8)
    for name in ("g/a", "g/b", "d/a", "d/b"):
        assert all(np.array_equal(each[name], weights[0][name]) for each in weights)


def test_a_resume_has_the_same_bits_and_knows_what_was_changed(tmp_path) -> None:
    made = lambda **changes: parts("adam", v1.train.FtrlOptimizer(0.1), every_n_steps=3, **changes)  # noqa: E731
    fit(tmp_path / "straight", made(), epochs=4)
    fit(tmp_path / "broken", made(), epochs=1)
    fit(tmp_path / "broken", made(), epochs=4)
    assert_same_bits(newest(tmp_path / "straight"), newest(tmp_path / "broken"))
    for changed in (made(in_turn=["g", "d"]), made(in_turn=None), parts(), "adam"):
        with pytest.raises(RequestError, match="optimizer"):
            fit(tmp_path / "broken", changed, epochs=5)


def test_a_new_rate_of_a_part_is_taken_where_changes_are_allowed(tmp_path) -> None:
    def rates() -> list[float]:
        stored = variables(newest(tmp_path / "run"))
        return sorted(float(value) for name, value in stored.items() if name.endswith("learning_rate"))

    fit(tmp_path / "run", parts(keras.optimizers.Adam(0.25), keras.optimizers.SGD(0.5)), epochs=1)
    assert rates() == [0.25, 0.5]
    changed = parts(keras.optimizers.Adam(0.25), keras.optimizers.SGD(0.125))
    fit(tmp_path / "run", changed, epochs=2, resume_changes="allow")
    assert rates() == [0.125, 0.25]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"d": "adm"}, "is not the name of a Keras optimizer; did you mean"),
        ({"d": 3}, "optimizer is a int; it must be a name"),
    ],
)
def test_a_part_that_is_no_optimizer_is_refused(tmp_path, wrong, message) -> None:
    with pytest.raises(RequestError, match=message):
        fit(tmp_path / "run", parts(**wrong))
    assert not (tmp_path / "run").exists()
