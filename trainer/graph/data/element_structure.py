"""Form in which a model gets inputs, labels and sample weights, which the graph holds as dense tensors by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainer.data.element_form import BARE, ElementForm, mapped, named_parts, split_element
from trainer.errors import RequestError
from trainer.graph.data.composites import component_specs, components, composed, is_composite, rows
from trainer.model import Tensors


@dataclass(frozen=True)
class ElementStructure:
    """Structure of the elements of a data source.

    The graph holds a batch as two dicts of dense tensors by name, inputs and labels; sample weights are among the
    labels, and a ragged or sparse tensor is there as its dense tensors. A model gets what its data has.

    Args:
        sample_weight: Name, among the labels, of the tensor of sample weights, where there is no form; None where
            the data has none.
        form: Names in the form of an element; None for dicts that the model gets as they are.
        specs: Specs of the tensors of a batch by name; the ragged and sparse ones are needed.
        varies: Whether the number of examples differs between batches.
    """

    sample_weight: str | None = None
    form: ElementForm | None = None
    specs: Mapping[str, Any] = field(default_factory=dict)
    varies: bool = False

    def inputs(self, named: Tensors) -> Any:
        """Returns the inputs as the model gets them."""
        return named if self.form is None else self._packed(self.form.inputs, named)

    def labels(self, named: Tensors) -> Any:
        """Returns the labels as the model gets them; None where the data has none."""
        if self.form is None:
            return {name: tensor for name, tensor in named.items() if name != self.sample_weight}
        return self._packed(self.form.labels, named)

    def weights(self, named: Tensors) -> Any:
        """Returns the sample weights, or None."""
        if self.form is None:
            return None if self.sample_weight is None else named[self.sample_weight]
        return self._packed(self.form.sample_weight, named)

    def examples(self, inputs: Tensors) -> Any:
        """Returns the number of examples of a batch, int32 scalar, from its inputs by name."""
        first, spec = next(iter(self.specs.items()), (next(iter(inputs)), None))
        return rows(first, spec, inputs)

    def _packed(self, form: Any, named: Tensors) -> Any:
        def pack(name: str) -> Any:
            spec = self.specs.get(name)
            return composed(name, spec, named) if is_composite(spec) else named[name]

        return mapped(pack, form)


NAMED = ElementStructure()
"""Structure of a pair of dicts by name, which the model gets as they are."""


@dataclass(frozen=True)
class ElementSpecs:
    """Specs of the batches of a data source.

    Args:
        structure: Structure of the batches.
        inputs: Specs of the dense tensors of the inputs, ``tf.TensorSpec`` by name.
        labels: Specs of the dense tensors of labels and sample weights, ``tf.TensorSpec`` by name.
    """

    structure: ElementStructure
    inputs: dict[str, Any]
    labels: dict[str, Any]

    @property
    def all(self) -> dict[str, Any]:
        """Specs of all dense tensors by name."""
        return {**self.inputs, **self.labels}


def element_specs(spec: Any, *, varies: bool = False) -> ElementSpecs:
    """Returns the specs of batches in the form of an element.

    Args:
        spec: Specs of a batch, nested as in ``tf.data.Dataset.element_spec``.
        varies: Whether the number of examples differs between batches.

    Raises:
        RequestError: The element is none that Keras takes, two tensors have one name, or a tensor is of no such kind.
    """
    form, leaves = named_parts(*(without_none(part) for part in split_element(spec)))
    by_name = {name: each for part in leaves.values() for name, each in part.items()}
    structure = ElementStructure(form=form, specs=by_name, varies=varies)
    inputs, labels, weights = (_all_components(leaves[part], component_specs) for part in BARE)
    if twice := (set(inputs) & (set(labels) | set(weights))) | (set(labels) & set(weights)):
        raise RequestError(f"two tensors of the data have the name {min(twice)!r} in the graph; rename one of them")
    return ElementSpecs(structure, inputs, {**labels, **weights})


def dense_by_name(element: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the dense tensors of a batch in the form of an element: inputs and labels by name."""
    _, leaves = named_parts(*(without_none(part) for part in split_element(element)))
    inputs, labels, weights = (_all_components(leaves[part], components) for part in BARE)
    return inputs, {**labels, **weights}


def without_none(part: Any) -> Any:
    """Returns a part of an element, None for what ``tf.data`` has in the place of None."""
    return None if type(part).__name__ == "NoneTensorSpec" else part


def _all_components(leaves: Mapping[str, Any], parts: Any) -> dict[str, Any]:
    """Returns the dense tensors, or specs, of several tensors by name."""
    found: dict[str, Any] = {}
    for name, each in leaves.items():
        for inner, dense in parts(name, each).items():
            if inner in found:
                raise RequestError(f"two tensors of the data have the name {inner!r} in the graph; rename one of them")
            found[inner] = dense
    return found
