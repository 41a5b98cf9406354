"""Names in the graph of the parts of an element: inputs, labels and sample weights, nested as Keras takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from trainer.errors import RequestError

BARE = {"inputs": "x", "labels": "y", "sample_weight": "sample_weight"}
"""Name of a part that is one tensor; the names of the tensors of a tuple begin with it."""


@dataclass(frozen=True)
class ElementForm:
    """Form of an element: the names of its tensors, in the nested tuples and dicts that hold them.

    Args:
        inputs: Name, or nested names, of the inputs.
        labels: Name, or nested names, of the labels; None for data without labels.
        sample_weight: Name, or nested names, of the sample weights; None for data without them.

    Example:
        >>> form, tensors = named_parts({"a": 1, "b": (2, 3)}, 4)
        >>> form.inputs, form.labels
        ({'a': 'a', 'b': ('b_0', 'b_1')}, 'y')
        >>> tensors
        {'inputs': {'a': 1, 'b_0': 2, 'b_1': 3}, 'labels': {'y': 4}, 'sample_weight': {}}
    """

    inputs: Any
    labels: Any = None
    sample_weight: Any = None

    @property
    def all(self) -> tuple[Any, Any, Any]:
        """Forms of inputs, labels and sample weights."""
        return self.inputs, self.labels, self.sample_weight


def named_parts(inputs: Any, labels: Any = None, sample_weight: Any = None) -> tuple[ElementForm, dict[str, Any]]:
    """Returns the form of an element, and its leaves by name for each part.

    Args:
        inputs: Inputs: a leaf, or tuples, lists and dicts of leaves.
        labels: Labels, or None.
        sample_weight: Sample weights, or None.

    Raises:
        RequestError: There are no inputs, or two leaves have one name.
    """
    parts = {"inputs": inputs, "labels": labels, "sample_weight": sample_weight}
    forms: dict[str, Any] = {}
    leaves: dict[str, dict[str, Any]] = {}
    for key, part in parts.items():
        leaves[key] = {}
        forms[key] = None if part is None else _named(part, BARE[key], key, leaves[key])
    if not leaves["inputs"]:
        raise RequestError("the data has no inputs; a model needs at least one")
    twice = set(leaves["inputs"]) & set(leaves["labels"])
    if twice:
        raise RequestError(f"{min(twice)!r} is both an input and a label; give each its own name")
    if twice := set(leaves["sample_weight"]) & (set(leaves["inputs"]) | set(leaves["labels"])):
        raise RequestError(
            f"{min(twice)!r} is the name of the sample weights and of an input or a label; rename the other"
        )
    return ElementForm(**forms), leaves


def _named(part: Any, bare: str, key: str, leaves: dict[str, Any]) -> Any:
    """Returns the names of a part in its nested form, and adds its leaves by name."""
    if is_nest(part) and len(part):
        # The keys of inputs and labels are names; those of sample weights are often the labels' own.
        prefix = "" if isinstance(part, Mapping) and key != "sample_weight" else bare
        return _children(part, prefix, key, leaves)
    return part if is_nest(part) else _leaf(part, bare, key, leaves)


def _children(part: Any, prefix: str, key: str, leaves: dict[str, Any]) -> Any:
    items = list(part.items() if isinstance(part, Mapping) else enumerate(part))
    names = []
    for each, value in items:
        name = f"{prefix}_{each}" if prefix else str(each)
        names.append(_children(value, name, key, leaves) if is_nest(value) else _leaf(value, name, key, leaves))
    if isinstance(part, Mapping):
        return dict(zip((each for each, _ in items), names, strict=True))
    return in_sequence_of(part, names)


def _leaf(value: Any, name: str, key: str, leaves: dict[str, Any]) -> str:
    if name in leaves:
        raise RequestError(f"two of the {key} have the name {name!r} in the graph; rename one of their keys")
    leaves[name] = value
    return name


def is_nest(value: Any) -> bool:
    """Returns whether a value is a tuple, a list or a dict of others."""
    return isinstance(value, Mapping | tuple | list)


def in_sequence_of(sequence: Any, values: list[Any]) -> Any:
    """Returns values in a sequence of the type of another: a list, a tuple or a named tuple."""
    if isinstance(sequence, list):
        return values
    return sequence._make(values) if hasattr(sequence, "_make") else tuple(values)


def mapped(function: Callable[[Any], Any], nest: Any) -> Any:
    """Returns nested tuples, lists and dicts with a function applied to each leaf; None stays None.

    Example:
        >>> mapped(str, {"a": (1, 2), "b": None})
        {'a': ('1', '2'), 'b': None}
    """
    if nest is None:
        return None
    if isinstance(nest, Mapping):
        return {key: mapped(function, value) for key, value in nest.items()}
    if isinstance(nest, tuple | list):
        return in_sequence_of(nest, [mapped(function, value) for value in nest])
    return function(nest)


def split_element(element: Any) -> tuple[Any, Any, Any]:
    """Returns inputs, labels and sample weights of an element, as Keras reads it.

    Raises:
        RequestError: The element is a tuple of more than three parts.
    """
    if not isinstance(element, tuple):
        return element, None, None
    if not 1 <= len(element) <= 3:
        raise RequestError(
            f"an element is a tuple of {len(element)} parts; it must be inputs, (inputs, labels) or (inputs, labels, "
            "sample weights), and several inputs or labels are a tuple or a dict in their place",
            argument="dataset",
        )
    inputs, labels, weights = (*element, None, None)[:3]
    return inputs, labels, weights
