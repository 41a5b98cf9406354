"""Ops under exactly the name that a person gave, in a graph whose names are unique without regard to case."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from trainer.errors import RequestError
from trainer.graph.ops.random_ops import line_of
from trainer.graphdef.op_types import PLACEHOLDERS

v1 = tf.compat.v1

NAME = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*(?<!/)")
"""Names of ops that TensorFlow accepts, as files of any age have them."""

READS_AND_CALLS = frozenset({"PartitionedCall", "ReadVariableOp", "StatefulPartitionedCall"})
"""Ops whose readers may be given another tensor in their place, as those of a variable's initial value are."""


def placeholder(name: str, spec: Any) -> Any:
    """Returns a placeholder of exactly this name.

    Raises:
        RequestError: It is no name of a tensor, or the graph has an op of that name.
    """
    return exactly(name, f"data {name!r}", lambda exact: v1.placeholder(spec.dtype, spec.shape, name=exact))


def named(name: str, tensor: Any) -> Any:
    """Returns an output under exactly this name: itself where its op bears the name, else a copy.

    Raises:
        RequestError: It is no name of a tensor, or the graph has another op of that name.

    Example:
        >>> with tf.Graph().as_default():
        ...     softmax = tf.nn.softmax(tf.zeros([1, 2], name="logits"))
        ...     named("Softmax", softmax).name, named("softmax", softmax).name
        ('Softmax:0', 'softmax:0')
    """
    if tensor.op.type in PLACEHOLDERS and tensor.op.name == name:
        raise RequestError(
            f"the model's output {name!r} is the input of that name, and a session cannot feed and fetch one tensor; "
            "return it under another name"
        )
    if tensor.name == f"{name}:0" and tensor.op.type not in READS_AND_CALLS:
        return tensor
    return exactly(name, f"the model's output {name!r}", lambda exact: tf.identity(tensor, name=exact))


def exactly(name: str, what: str, make: Callable[[str], Any]) -> Any:
    """Makes an op of exactly this name in the default graph.

    Args:
        name: Name of the op, scopes included.
        what: Owner of the name, for messages.
        make: Function that makes the op, given the argument ``name`` of one of TensorFlow's functions.

    Raises:
        RequestError: It is no name of an op, or the graph has an op of that name.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise RequestError(
            f"{what} is not a valid name of a tensor: letters, digits and . _ - / may be in one, the first is a letter "
            "or a digit"
        )
    graph = v1.get_default_graph()
    if (taken := existing_op(graph, name)) is not None:
        raise RequestError(
            f"{what} needs an op of that name, and the graph already has an op {name!r} of type "
            f"{taken.type}{line_of(taken.traceback)}; give one of them another name"
        )
    # A name that ends in a slash is a scope to enter again, which TensorFlow takes as it is: any other name gets a
    # number where one differs from it in case alone.
    made = make(f"{name}/")
    # TensorFlow has to hear of the name, or a later op of the same name is an error.
    graph.unique_name(name)
    return made


def existing_op(graph: Any, name: str) -> Any:
    """Returns the op of a name in a graph, or None."""
    try:
        return graph.get_operation_by_name(name)
    except (KeyError, ValueError):
        return None
