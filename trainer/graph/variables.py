"""Global variables of a graph by their names in a checkpoint, and the Savers of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

v1 = tf.compat.v1

ROLLBACK_SCOPE = "rollback/"
"""Name prefix of the variables used by rollback."""


def variables_by_name(graph: Any) -> dict[str, Any]:
    """Returns the global variables of a graph by name, as a ``Saver`` names them."""
    return {variable.op.name: variable for variable in graph.get_collection(v1.GraphKeys.GLOBAL_VARIABLES)}


def variable_bytes(graph: Any) -> int:
    """Returns the size of all global variables without strings, in bytes."""
    variables = variables_by_name(graph).values()
    return sum(v.shape.num_elements() * v.dtype.size for v in variables if v.dtype.base_dtype != tf.string)


def make_restorer() -> Any:
    """Returns the ``Saver`` used on resume in the default graph; it excludes the rollback variables."""
    saveables = v1.get_collection(v1.GraphKeys.SAVEABLE_OBJECTS)
    variables = [v for v in v1.global_variables() if not v.op.name.startswith(ROLLBACK_SCOPE)]
    return v1.train.Saver([*variables, *saveables], max_to_keep=0)


def make_saver(variables: Mapping[str, Any] | None = None) -> Any:
    """Returns a ``Saver`` that never removes a file; retention is decided from the commit records.

    Args:
        variables: Variables by name in the file; None for everything that a resume needs, with the
            state of data pipelines.
    """
    return v1.train.Saver(variables, max_to_keep=0, save_relative_paths=True)
