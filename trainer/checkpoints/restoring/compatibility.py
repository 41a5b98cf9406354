"""Differences between a checkpoint and a graph, found before anything is assigned.

Restoring a resource variable ignores its shape: without this check, a stored [3, 4] goes into a
declared [5, 4] without an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checkpoints.reader import Tensor, stored_tensors
from trainer.errors import RequestError
from trainer.graph.optimizer_names import names_in_file, under_names
from trainer.graph.variables import ROLLBACK_SCOPE, variables_by_name

v1 = tf.compat.v1


def differences(stored: Mapping[str, Tensor], declared: Mapping[str, Tensor]) -> list[str]:
    """Returns a line for each variable that is missing or differs; [] if the file fits."""
    lines = []
    for name, tensor in sorted(declared.items()):
        if name not in stored:
            lines.append(f"{name}: graph {tensor}, not in the file")
        elif stored[name] != tensor:
            lines.append(f"{name}: graph {tensor}, file {stored[name]}")
    lines += [f"{name}: not in the graph, file {stored[name]}" for name in sorted(set(stored) - set(declared))]
    return lines


def declared_tensors(variables: Mapping[str, Any]) -> dict[str, Tensor]:
    """Returns the declared dtypes and shapes of a graph's variables, by the same names."""
    return {
        name: Tensor(variable.dtype.base_dtype.name, tuple(variable.shape.as_list()))
        for name, variable in variables.items()
    }


def pipeline_names(graph: Any) -> set[str]:
    """Returns the names under which a Saver stores the positions of data pipelines."""
    return {spec.name for saveable in graph.get_collection(v1.GraphKeys.SAVEABLE_OBJECTS) for spec in saveable.specs}


def both_sides(prefix: Path, graph: Any) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Returns the tensors that a checkpoint holds and those that a graph declares, by name in the graph.

    Positions of data pipelines and rollback variables are ignored: they need not be in both.

    Raises:
        CheckpointError: The checkpoint cannot be read.
    """
    pipelines = pipeline_names(graph)
    found, declared = stored_tensors(prefix), declared_tensors(variables_by_name(graph))
    sides = under_names(found, names_in_file(found, declared)), declared
    stored, declared = (
        {name: each for name, each in side.items() if name not in pipelines and not name.startswith(ROLLBACK_SCOPE)}
        for side in sides
    )
    return stored, declared


def check_fits(prefix: Path, graph: Any) -> None:
    """Checks that a checkpoint fits a graph.

    Raises:
        RequestError: They differ; the message is a table of the differences.
        CheckpointError: The checkpoint cannot be read.
    """
    found = differences(*both_sides(prefix, graph))
    if found:
        shown = "\n  ".join(found[:30])
        raise RequestError(f"{prefix} does not fit the graph; nothing was restored:\n  {shown}")
