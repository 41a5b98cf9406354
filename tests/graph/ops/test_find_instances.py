"""Where a model may keep its layers, metrics and trunks."""

from __future__ import annotations

from functools import partial
from typing import Any

import keras
import pytest
import tensorflow as tf

from trainer.graph.ops.find_instances import find_instances

IN_A_GLOBAL = tf.Module("in_a_global")
IN_A_LIST = [tf.Module("in_a_list_of_a_global")]
UNUSED = tf.Module("unused")


def call_of_a_function(inputs: Any) -> Any:
    return IN_A_LIST, inputs


class ByGlobals:
    def __call__(self, inputs: Any) -> Any:
        return IN_A_GLOBAL, (lambda: call_of_a_function(inputs))()


class Inherited(ByGlobals):
    def __init__(self) -> None:
        self.own = tf.Module("own")


class InClass:
    shared = tf.Module("of_the_class")

    def __call__(self) -> Any:
        return self.shared


def closure() -> Any:
    inner = tf.Module("in_a_closure")
    return lambda: inner


def with_argument(module: Any, other: Any = None) -> Any:
    return module, other


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (ByGlobals(), {"in_a_global", "in_a_list_of_a_global"}),
        (Inherited(), {"own", "in_a_global", "in_a_list_of_a_global"}),
        (InClass(), {"of_the_class"}),
        (call_of_a_function, {"in_a_list_of_a_global"}),
        (closure(), {"in_a_closure"}),
        (partial(with_argument, tf.Module("given")), {"given"}),
        ({"a": [(tf.Module("deep"),)]}, {"deep"}),
        (ByGlobals, set()),
        (keras, set()),
    ],
)
def test_places(value: Any, names: set[str]) -> None:
    assert {module.name for module in find_instances(value, tf.Module)} == names
