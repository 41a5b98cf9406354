"""Names of the variables of Keras layers: the paths that Keras gives, whatever else the graph holds."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

from trainer.graph.ops.variables import variables_by_name

v1 = tf.compat.v1

OLDER = "_name_by_scope"
"""Attribute of a variable: the name that it had when TensorFlow's scopes named it."""


@contextlib.contextmanager
def named_by_keras() -> Iterator[None]:
    """Gives the Keras variables made in the block their paths as names, in the default graph.

    A scope of TensorFlow that is entered a second time gets a number, and a layer that is built while Keras infers
    shapes makes its variables outside its scope: such names depend on what was built before.

    Example:
        >>> with tf.Graph().as_default(), named_by_keras():
        ...     dense = keras.layers.Dense(1, name="d")
        ...     for net in (keras.Sequential([dense], name="a"), keras.Sequential([dense], name="b")):
        ...         _ = net(tf.zeros([2, 3]))
        ...     [variable.value.op.name for variable in dense.weights]
        ['a/d/kernel', 'a/d/bias']
    """
    own = keras.Variable._initialize
    by_scope = _Names(older_names(v1.get_default_graph()).values())

    def initialize(self: Any, value: Any) -> None:
        graph = v1.get_default_graph()
        if tf.executing_eagerly() or isinstance(value, tf.Variable):
            own(self, value)
            return
        older = by_scope.unique("/".join(filter(None, (graph.get_name_scope(), self.name))))
        scope = self.path.rpartition("/")[0]
        # A slash at the end makes the scope an absolute one, and keeps TensorFlow from numbering it.
        with graph.name_scope(f"{scope}/" if scope else None):
            own(self, value)
        setattr(self.value, OLDER, older)

    with _in_place_of("_initialize", initialize):
        yield


@contextlib.contextmanager
def _in_place_of(method: str, function: Any) -> Iterator[None]:
    """Puts a function in the place of a method of ``keras.Variable``, which may be one of a base class."""
    before = vars(keras.Variable).get(method)
    setattr(keras.Variable, method, function)
    try:
        yield
    finally:
        if before is None:
            delattr(keras.Variable, method)
        else:
            setattr(keras.Variable, method, before)


def older_names(graph: Any) -> dict[str, str]:
    """Returns the names that TensorFlow's scopes gave to variables of Keras, by their names in the graph."""
    return {name: getattr(each, OLDER) for name, each in variables_by_name(graph).items() if hasattr(each, OLDER)}


def older_names_in_file(stored: Iterable[str], wanted: Iterable[str], older: Mapping[str, str]) -> dict[str, str]:
    """Returns the names in a file from the time when TensorFlow's scopes named the variables of Keras layers.

    One of the two ways of naming holds for the whole file: the one that more of its names follow.

    Args:
        stored: Names in the file.
        wanted: Names in the graph, those of slots included.
        older: Names by scope, by the names of variables in the graph.

    Returns:
        Names in the file by the names in the graph, where they differ; {} for a file with the names of the graph.

    Example:
        >>> older = {"d/kernel": "d/kernel", "d_1/kernel": "d_1_1/kernel"}
        >>> older_names_in_file({"d/kernel", "d_1_1/kernel"}, older, older)
        {'d_1/kernel': 'd_1_1/kernel'}
    """
    if all(name == by_scope for name, by_scope in older.items()):
        return {}
    stored, flat = set(stored), {name.replace("/", "_"): name for name in older}
    forms = {name: _older_form(name, older, flat) for name in wanted}
    pairs = {name: form for name, form in forms.items() if form != name}
    follows_older = sum(form in stored for form in pairs.values()) > sum(name in stored for name in pairs)
    return pairs if follows_older else {}


def _older_form(name: str, older: Mapping[str, str], flat: Mapping[str, str]) -> str:
    """Returns the older name of a variable, or of a slot of one, whose name begins with or contains the variable's."""
    parts = name.split("/")
    for end in range(len(parts), 0, -1):
        variable = "/".join(parts[:end])
        if variable in older:
            return "/".join([older[variable], *parts[end:]])
    # Keras's optimizers join the parts of a variable's name, as in adam_2/cnn_conv2d_kernel_0_momentum;
    # Adafactor makes some variables outside its scope.
    words = parts[-1].split("_")
    for end in range(len(words), 0, -1):
        if variable := flat.get("_".join(words[:end]), ""):
            return "/".join([*parts[:-1], "_".join([older[variable].replace("/", "_"), *words[end:]])])
    return name


class _Names:
    """Names in use, compared as TensorFlow compares the names of ops: without regard to case."""

    def __init__(self, used: Iterable[str]) -> None:
        self._used = {name.lower() for name in used}

    def unique(self, name: str) -> str:
        """Returns the name, with a number if it is in use."""
        found, count = name, 0
        while found.lower() in self._used:
            count += 1
            found = f"{name}_{count}"
        self._used.add(found.lower())
        return found
