"""Variables of a graph by the names that a Saver gives them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

v1 = tf.compat.v1

ROLLBACK_SCOPE = "rollback/"
"""What the names of the variables begin with that a rollback sets."""


def variables_by_name(graph: Any) -> dict[str, Any]:
    """Returns the global variables of a graph."""
    return {variable.op.name: variable for variable in graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)}


def variable_bytes(graph: Any) -> int:
    """Returns the size of all global variables, those of strings left out."""
    variables = variables_by_name(graph).values()
    return sum(v.shape.num_elements() * v.dtype.size for v in variables if v.dtype.base_dtype != tf.string)


def make_restorer() -> Any:
    """Returns a Saver of all that a resume restores in the default graph: not what a rollback sets."""
    saveables = v1.get_collection(v1.GraphKeys.SAVEABLE_OBJECTS)
    variables = [v for v in v1.global_variables() if not v.op.name.startswith(ROLLBACK_SCOPE)]
    return v1.train.Saver([*variables, *saveables], max_to_keep=0)


def make_saver(variables: Mapping[str, Any] | None = None) -> Any:
    """Returns a Saver that never deletes: what stays is decided from the commit records.

    Args:
        variables: name in the file to variable; None for all that a resume needs, with the state
            of data pipelines.
    """
    return v1.train.Saver(variables, max_to_keep=0, save_relative_paths=True)
