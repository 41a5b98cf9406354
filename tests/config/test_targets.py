"""What is said of a ``_target_`` that cannot be looked up or called."""

from __future__ import annotations

import keras
import pytest

from trainer.config.targets import cheap_parameters, explain_target, find_object
from trainer.data.arrays import InMemory


def error_of(call: object, **arguments: object) -> BaseException:
    with pytest.raises((TypeError, ValueError)) as caught:
        call(**arguments)  # type: ignore[operator]
    return caught.value


def test_a_misspelt_argument_gets_a_close_match() -> None:
    error = error_of(InMemory, examples=None, batch_siz=3)
    answer = explain_target("trainer.data.arrays.InMemory", error)
    assert answer == "trainer.data.arrays.InMemory has no argument 'batch_siz'; did you mean batch_size?"


def test_a_misspelt_argument_of_keras_gets_a_close_match() -> None:
    error = error_of(keras.optimizers.SGD, learningrate=0.1)
    assert "did you mean learning_rate?" in explain_target("keras.optimizers.SGD", error)


@pytest.mark.parametrize(("old", "new"), [("held_out", "validation"), ("most_examples", "max_examples")])
def test_a_renamed_argument_gets_its_name_of_today(old, new) -> None:
    error = error_of(InMemory, examples=None, batch_size=3, **{old: 1})
    assert explain_target("trainer.data.arrays.InMemory", error).endswith(f"it is {new} now")


def test_a_renamed_target_gets_its_name_of_today() -> None:
    renamed = {"trainer.data.line.line": "trainer.data.synthetic.line"}
    answer = explain_target("trainer.data.line.line", ImportError(), renamed)
    assert answer == "there is no _target_ trainer.data.line.line; it is trainer.data.synthetic.line now"


def test_parameters_are_looked_up_where_that_needs_no_tensorflow() -> None:
    assert "patience" in cheap_parameters("callbacks.early_stopping.EarlyStopping")
    assert "max_examples" in cheap_parameters("trainer.data.arrays.InMemory")
    assert cheap_parameters("trainer.models.mlp.Mlp") == []
    assert cheap_parameters("trainer.data.arrays.NoSuch") == []


def test_an_object_is_found_by_its_dotted_name_or_is_none() -> None:
    assert find_object("trainer.data.arrays.InMemory") is InMemory
    assert find_object("trainer.data.arrays.NoSuch") is None
