"""Parameters of a target: from annotations, from defaults, and from what is documented of optimizers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
import pytest
import tensorflow as tf

from trainer.config.annotations import fits
from trainer.config.parameters import OF_OPTIMIZERS, REQUIRED, parameters_of
from trainer.models.mlp import Mlp

if TYPE_CHECKING:
    from trainer.no_such_module import Unknown

Sizes = Sequence[int]


@dataclass
class Settings:
    size: int
    rate: float = 0.5


class Net:
    def __init__(self, units=3, rate=0.5, bias=True, kind="a", sizes=None, *, deep: int = None, of: Sizes = ()) -> None:  # noqa: RUF013
        pass


class Child(Net):
    pass


class Later:
    def __init__(self, it: Unknown, count: int = 1) -> None:
        pass

    @classmethod
    def make(cls, count: int = 1) -> Later:
        return cls(None, count)


def types_of(found: Any) -> dict[str, Any]:
    """Returns the annotations of the parameters by name."""
    parameters = parameters_of(found)
    assert parameters is not None
    return {name: each.annotation for name, each in parameters.named.items()}


def test_a_type_is_that_of_the_annotation_or_of_the_default() -> None:
    expected = {
        "units": float,
        "rate": float,
        "bias": bool,
        "kind": Any,
        "sizes": Any,
        "deep": int | None,
        "of": Sequence[int],
    }
    assert types_of(Net) == types_of(Child) == expected


def test_other_forms_of_targets() -> None:
    assert types_of(Settings) == {"size": int, "rate": float}
    assert types_of(Mlp) == {"sizes": Sequence[int]}
    assert types_of(Later.make) == {"count": int}
    assert types_of(Later) == {"it": Any, "count": int}  # the first exists for type checkers only
    assert parameters_of(None) is None
    assert parameters_of(3) is None


OPTIMIZERS = [
    getattr(keras.optimizers, name)
    for name in sorted(dir(keras.optimizers))
    if isinstance(getattr(keras.optimizers, name), type) and name != "OptimizerMap"  # takes **kwargs, from 3.15 on
] + [getattr(tf.compat.v1.train, name) for name in sorted(dir(tf.compat.v1.train)) if name.endswith("Optimizer")]
SCHEDULES = [
    getattr(keras.optimizers.schedules, name)
    for name in sorted(dir(keras.optimizers.schedules))
    if isinstance(getattr(keras.optimizers.schedules, name), type)
] + [
    getattr(tf.compat.v1.train, name)
    for name in ("exponential_decay", "cosine_decay", "polynomial_decay", "piecewise_constant", "natural_exp_decay")
]


@pytest.mark.parametrize("found", [*OPTIMIZERS, *SCHEDULES], ids=lambda found: found.__name__)
def test_the_defaults_of_a_library_fit_and_its_numbers_take_no_text(found) -> None:
    parameters = parameters_of(found)
    assert parameters is not None
    assert parameters.is_strict
    for each in parameters.named.values():
        if isinstance(each.default, int | float | str | None):
            assert fits(each.default, each.annotation), each
        if each.name in OF_OPTIMIZERS or isinstance(each.default, int | float):
            assert not fits("abc", each.annotation), each


LAYERS = [
    getattr(keras.layers, name) for name in sorted(dir(keras.layers)) if isinstance(getattr(keras.layers, name), type)
]


@pytest.mark.parametrize("found", LAYERS, ids=lambda found: found.__name__)
def test_the_defaults_of_a_layer_fit_and_its_numbers_may_be_lists(found) -> None:
    parameters = parameters_of(found)
    assert parameters is not None
    for each in parameters.named.values():
        assert fits(list(each.default) if isinstance(each.default, tuple) else each.default, each.annotation) or (
            each.default is REQUIRED
        ), each
        if isinstance(each.default, int) and not isinstance(each.default, bool):
            assert [fits(value, each.annotation) for value in ([1, 2], None, "abc", True)] == [True, True, False, False]


class Hidden:
    def __new__(cls, *args: Any, **kwargs: Any) -> Hidden:
        del args, kwargs
        return object.__new__(cls)

    def __init__(self, units: int) -> None:
        pass


def test_where_the_code_is_decides_what_a_default_tells() -> None:
    assert types_of(Hidden) == {"units": int}
    assert types_of(keras.layers.LayerNormalization)["axis"] == float | Sequence[Any] | None
    assert set(types_of(random.Random.choices).values()) == {Any}


def test_what_only_kwargs_take_has_the_documented_type() -> None:
    class Mine(keras.optimizers.SGD):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)

    parameters = parameters_of(Mine)
    assert parameters is not None
    for name in ("learning_rate", "clipnorm", "ema_momentum"):
        parameter = parameters.get(name)
        assert parameter is not None
        assert not fits("abc", parameter.annotation)
    assert parameters.get("anything") is not None
    assert parameters_of(Net).get("anything") is None
