"""Validation parts of a data source: arrays or data sets, one or several under their names, checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from trainer.data.arrays import Arrays
from trainer.data.unparsed import unparsed_of
from trainer.errors import RequestError
from trainer.graph.data.background_call import closing_in_time
from trainer.graph.data.dataset_calls import call_dataset, check_dataset, count_elements
from trainer.graph.data.element_structure import ElementSpecs, element_specs
from trainer.graph.ops.devices import building

v1 = tf.compat.v1

NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True)
class DatasetPart:
    """Validation part that is a data set.

    Args:
        make: Function that adds the data set of its batches to the default graph.
        argument: Argument that holds the person's function, for messages.
        is_known: Whether its ops are the trainer's own, and need no look for what varies between passes.
        may_vary: Shapes of the tensors of an example that may differ between those of a batch, by name.
    """

    make: Callable[[], Any]
    argument: str
    is_known: bool = False
    may_vary: Mapping[str, Any] = field(default_factory=dict)


Part = Arrays | DatasetPart
"""One validation part."""


@dataclass(frozen=True)
class PartRules:
    """Rules of the validation parts of a data source: their elements, their batches, their ends.

    Args:
        training: Specs of the training batches.
        batches: Function that returns the data set of batches of a data set of elements.
        most: Maximum number of batches of a data set; None for all, and one of unknown length is then counted.
        count_secs: Limit on the seconds of counting.
        batched: Whether the elements of data sets are batches.
        may_vary: Function that returns, for a data set of elements, the shapes that may differ in a batch, by name.
    """

    training: ElementSpecs
    batches: Callable[[Any], Any]
    most: int | None = None
    count_secs: float = 60.0
    batched: bool = False
    may_vary: Callable[[Any], Mapping[str, Any]] = lambda _: {}


def validation_parts(given: Any, rules: PartRules) -> dict[str, Part]:
    """Returns the validation parts by name; '' is the name of a single one.

    Args:
        given: Arrays, a function that returns arrays or a data set, a mapping of names to such, or None.
        rules: What the parts must be.

    Raises:
        RequestError: A part is none of these, has no end, or has other elements than the training data.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        return {"": _part(given, "validation", rules)}
    if not given:
        raise RequestError("validation is an empty mapping; leave it out, or give a data set by name")
    for name in given:
        if not NAME.fullmatch(str(name)):
            raise RequestError(
                f"validation has a part named {name!r}; a name begins with a letter or a digit and has no spaces",
                argument="validation",
            )
    return {str(name): _part(each, f"validation.{name}", rules) for name, each in given.items()}


def _part(given: Any, argument: str, rules: PartRules) -> Part:
    if callable(given):
        with building(tf.Graph()), closing_in_time(v1.Session()) as session:
            made = call_dataset(given, argument, batched=rules.batched)
            if not isinstance(made, Arrays):
                return _dataset_part(given, made, argument, rules, session)
        given = made
    if not isinstance(given, Arrays):
        raise RequestError(
            f"{argument} is a {type(given).__name__}; it must be trainer.Arrays, or a function that returns these or a "
            "tf.data.Dataset (in a node for Hydra _partial_: true)",
            argument=argument,
        )
    specs = {name: tf.TensorSpec([None, *each.shape[1:]], dtype_of(each)) for name, each in given.all.items()}
    _check_same(argument, given.form, specs, rules.training)
    return given


def dtype_of(array: Any) -> Any:
    """Returns the dtype of an array in TensorFlow."""
    return tf.string if array.dtype.kind in "SU" else tf.as_dtype(array.dtype)


def _dataset_part(make: Any, made: Any, argument: str, rules: PartRules, session: Any) -> DatasetPart:
    may_vary = rules.may_vary(check_dataset(made, argument))
    dataset = rules.batches(made)
    specs = element_specs(dataset.element_spec)
    _check_same(argument, specs.structure.form, specs.all, rules.training)
    if rules.most is None:
        # Records are counted without parsing them.
        counted = dataset if unparsed_of(made) is None else made
        count_elements(counted, session, "validation_steps", rules.count_secs)

    def make_batches() -> Any:
        made = rules.batches(call_dataset(make, argument, batched=rules.batched))
        return made if rules.most is None else made.take(rules.most)

    return DatasetPart(make_batches, argument, may_vary=may_vary)


def _check_same(argument: str, form: Any, specs: Mapping[str, Any], training: ElementSpecs) -> None:
    """Refuses elements that differ from those of the training data, by the name of the first tensor that differs."""
    remedy = "give each validation example the form, dtypes and shapes of the training examples"
    if missing := [name for name in training.all if name not in specs]:
        others = ", ".join(sorted(set(specs) - set(training.all))) or "nothing else"
        raise RequestError(f"{argument} has no {missing[0]!r} (it has {others}); {remedy}", argument=argument)
    if extra := sorted(set(specs) - set(training.all)):
        raise RequestError(
            f"{argument} has {extra[0]!r}, which the training data does not have; {remedy}", argument=argument
        )
    for name, spec in training.all.items():
        other = specs[name]
        if spec.dtype != other.dtype or not spec.shape.is_compatible_with(other.shape):
            raise RequestError(
                f"{argument} has {name!r} as {other.dtype.name} {list(other.shape)}, and the training data as "
                f"{spec.dtype.name} {list(spec.shape)}; {remedy}",
                argument=argument,
            )
    if training.structure.form is not None and form != training.structure.form:
        raise RequestError(
            f"the elements of {argument} are {form}, and those of the training data {training.structure.form}; "
            f"{remedy}",
            argument=argument,
        )
