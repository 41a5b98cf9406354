"""Tensors that the Saver in a ``.meta`` restores, read from its ops; nothing of the graph is run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from trainer.checkpoints.contents import Entry, Tensor, unmet, whole_tensors
from trainer.errors import CheckpointError
from trainer.graphdef.declared import dtype_name, sizes_of
from trainer.graphdef.op_types import TABLE_INITIALIZER_OP, VARIABLE_OPS
from trainer.graphdef.traverse import node_of, output_of, reads_of, upstream

RESTORE_OPS = ("RestoreV2", "RestoreSlice", "Restore")
"""Restore ops of the current format, and of files of 2015 and 2016."""

ASSIGN_OPS = ("Assign", "AssignVariableOp")

COPY_OPS = ("Identity", "Reshape")
"""Ops that a Saver puts between a restore op and the assignment of its output."""


@dataclass(frozen=True)
class RestoredTensor:
    """Tensor that a Saver restores.

    Args:
        entry: Name, slice and type in the file.
        variable: Name of the variable's node that takes it; '' for a table or another object.
    """

    entry: Entry
    variable: str = ""


def restored_tensors(meta: Any) -> list[RestoredTensor]:
    """Returns what the Saver of a meta graph restores; [] if it has none.

    A Saver's graph has restore ops, whose second input lists the names in the file and whose third lists
    the slices, and for each variable an op that assigns one of their outputs
    (tensorflow/python/training/saver.py, ``_AddRestoreOps``).

    Args:
        meta: MetaGraphDef.

    Raises:
        CheckpointError: The Saver is damaged.
    """
    with _damage_told():
        nodes = {node.name: node for node in meta.graph_def.node}
        needed = [nodes[name] for name in upstream(reads_of(meta.graph_def), [meta.saver_def.restore_op_name])]
        takers = dict(_takers(nodes, [node for node in needed if node.op in ASSIGN_OPS]))
        return [
            RestoredTensor(_shaped(entry, *takers[node.name, port]), takers[node.name, port][0].name)
            if (node.name, port) in takers
            else RestoredTensor(entry)
            for node in needed
            if node.op in RESTORE_OPS
            for port, entry in enumerate(_entries(nodes, node))
        ]


def restored_tables(meta: Any) -> dict[str, tuple[str, ...]]:
    """Returns what the Saver of a meta graph fills look-up tables from.

    Args:
        meta: MetaGraphDef.

    Returns:
        Names of keys and values by the name of the table's node.

    Raises:
        CheckpointError: The Saver is damaged.
    """
    found = {}
    with _damage_told():
        nodes = {node.name: node for node in meta.graph_def.node}
        needed = [nodes[name] for name in upstream(reads_of(meta.graph_def), [meta.saver_def.restore_op_name])]
        entries = {node.name: _entries(nodes, node) for node in needed if node.op in RESTORE_OPS}
        for node in needed:
            tensors = node.input[1:3]
            if TABLE_INITIALIZER_OP.search(node.op) and all(node_of(tensor) in entries for tensor in tensors):
                keys = tuple(entries[node_of(each)][output_of(each)].key for each in tensors)
                found[node_of(node.input[0])] = keys
    return found


@contextlib.contextmanager
def _damage_told() -> Iterator[None]:
    """Translates the errors about a Saver whose ops are not those that TensorFlow makes."""
    try:
        yield
    except (KeyError, IndexError, ValueError, RecursionError) as error:
        raise CheckpointError(f"the Saver in the graph is damaged ({type(error).__name__}: {error})") from error


def restore_problems(meta: Any, stored: Mapping[str, Tensor]) -> list[str]:
    """Returns why a checkpoint cannot be restored into the graph of its ``.meta``; [] if it can.

    Args:
        meta: MetaGraphDef of the ``.meta``.
        stored: Tensors in the checkpoint, by name.
    """
    return unmet(stored, whole_tensors(each.entry for each in restored_tensors(meta)))


def _takers(nodes: Mapping[str, Any], assignments: list[Any]) -> Iterator[tuple[tuple[str, int], tuple[Any, bool]]]:
    """Returns the node of the variable that takes each output of a restore op, and whether it is reshaped before."""
    for assign in assignments:
        tensor, variable, reshaped = assign.input[1], nodes[node_of(assign.input[0])], False
        copies = 0
        while (node := nodes[node_of(tensor)]).op in COPY_OPS:
            tensor, reshaped, copies = node.input[0], reshaped or node.op == "Reshape", copies + 1
            if copies > len(nodes):
                raise ValueError(f"{node.name} reads itself")
        if node.op in RESTORE_OPS and variable.op in VARIABLE_OPS:
            yield (node.name, output_of(tensor)), (variable, reshaped)


def _entries(nodes: Mapping[str, Any], restore: Any) -> list[Entry]:
    dtypes = restore.attr["dtypes"].list.type or [restore.attr["dt"].type]
    keys = _texts(nodes[node_of(restore.input[1])], len(dtypes))
    slices = _texts(nodes[node_of(restore.input[2])], len(keys)) if len(restore.input) > 2 else [""] * len(keys)
    types = [Tensor(dtype_name(dtype), None) for dtype in dtypes]
    return [Entry(*each) for each in zip(keys, slices, types, strict=True)]


def _texts(node: Any, count: int) -> list[str]:
    """Returns the texts of a constant; where it gives fewer than there are, the last one stands for the others."""
    given: list[str] = [text.decode() for text in node.attr["value"].tensor.string_val]
    return given + given[-1:] * (count - len(given))


def _shaped(entry: Entry, variable: Any, reshaped: bool) -> Entry:
    """Returns the entry with the shape of the variable that takes it, unless that takes any shape."""
    sizes = sizes_of(variable.attr["shape"].shape)
    return entry if reshaped or sizes is None else replace(entry, tensor=Tensor(entry.tensor.dtype, sizes))
