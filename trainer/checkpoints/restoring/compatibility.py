"""Comparison of a checkpoint with a graph, before anything is assigned.

Restoring a resource variable ignores its shape: without this check, a stored [3, 4] goes into a
declared [5, 4] without an error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trainer.checkpoints.contents import Entry, Tensor, differences, type_of, whole_tensors
from trainer.checkpoints.reading.reader import stored_tensors
from trainer.errors import RequestError
from trainer.graph.ops.variables import key_of, slice_spec_of
from trainer.graph.optimizers.optimizer_names import names_in_file, under_names
from trainer.graph.state.keras_names import older_names
from trainer.graph.state.run_savers import saved_tensors
from trainer.graphdef.op_types import ROLLBACK_SCOPE


def wanted_by(saver: Any) -> dict[str, Tensor]:
    """Returns the tensors that a Saver of the default graph writes and restores, by name in the file."""
    return whole_tensors(Entry(each.key, each.slice_spec, type_of(each.tensor)) for each in saved_tensors(saver))


def declared_tensors(variables: Iterable[Any]) -> dict[str, Tensor]:
    """Returns the declared dtypes and shapes of variables, by name in a file; a partitioned one is whole."""
    return whole_tensors(Entry(key_of(v), slice_spec_of(v), type_of(v)) for v in variables)


def without_rollback(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns tensors without the rollback variables, which need not be in both a file and a graph."""
    return {name: tensor for name, tensor in stored.items() if not name.startswith(ROLLBACK_SCOPE)}


def check_fits(prefix: Path, wanted: Mapping[str, Tensor], graph: Any) -> None:
    """Checks that a checkpoint holds exactly what a graph wants, rollback variables aside.

    Args:
        prefix: Prefix of the checkpoint's files.
        wanted: Tensors that the graph's Saver restores, by name.
        graph: Graph.

    Raises:
        RequestError: They differ; the message is a table of the differences.
        CheckpointError: The checkpoint cannot be read.
    """
    stored = stored_tensors(prefix)
    stored = under_names(stored, names_in_file(stored, wanted, older_names(graph)))
    found = differences(without_rollback(stored), without_rollback(wanted))
    if found:
        shown = "\n  ".join(found[:30])
        raise RequestError(f"{prefix} does not fit the graph; nothing was restored:\n  {shown}")
