"""Restoring of variables from a checkpoint by the names that the graph's Saver uses.

Only variables that the outputs need are read, so optimizer slots are not. The graph's own restore ops
do not run: an external graph could contain any op there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from trainer.checkpoints.reader import Tensor, stored_tensors
from trainer.checkpoints.restoring.compatibility import differences
from trainer.errors import RequestError
from trainer.graphdef.op_types import RESOURCE_VARIABLE
from trainer.graphdef.traverse import node_of, reads_of, upstream

v1 = tf.compat.v1

Stored = tuple[str, str]
"""Name of a tensor in a file, and its slice; '' for the whole tensor."""


def stored_names(meta_graph: Any) -> dict[str, Stored]:
    """Returns the stored tensor that the Saver of a meta graph restores each variable from.

    For each variable, a Saver's graph has an op that assigns one output of a restore op. The second
    input of the restore op lists the names in the file, the third lists the slices
    (tensorflow/python/training/saver.py, ``_AddRestoreOps``).

    Args:
        meta_graph: MetaGraphDef; the result is empty if it has no Saver.
    """
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    found = {}
    for name in upstream(reads_of(meta_graph.graph_def), [meta_graph.saver_def.restore_op_name]):
        node = nodes[name]
        if node.op in ("Assign", "AssignVariableOp"):
            stored = _restored_from(nodes, node.input[1])
            if stored is not None:
                found[node_of(node.input[0])] = stored
    return found


def _restored_from(nodes: Mapping[str, Any], tensor: str) -> Stored | None:
    node = nodes[node_of(tensor)]
    while node.op not in ("RestoreV2", "RestoreSlice", "Restore"):
        if not node.input:
            return None
        tensor = node.input[0]
        node = nodes[node_of(tensor)]
    port = int(tensor.partition(":")[2] or 0)
    texts = [_texts(nodes[node_of(source)]) for source in node.input[1:3]]
    return texts[0][port], texts[1][port] if len(texts) > 1 else ""


def _texts(node: Any) -> list[str]:
    return [text.decode() for text in tf.make_ndarray(node.attr["value"].tensor).reshape(-1)]


def restore(session: Any, variables: Mapping[str, Any], saver_names: Mapping[str, Stored], prefix: Path) -> None:
    """Restores variables in a session whose graph is the default one.

    Args:
        session: Session of the graph.
        variables: Variable nodes by name.
        saver_names: Stored tensor of each variable; a missing variable has the same name in the file.
        prefix: Prefix of the checkpoint's files.

    Raises:
        RequestError: The file does not match the variables; the message lists up to 30 differences, and
            nothing was restored.
        CheckpointError: The file cannot be read.
    """
    if not variables:
        return
    names = {variable: saver_names.get(variable, (variable, "")) for variable in variables}
    _check_fits(variables, names, prefix)
    dtypes = [variables[name].attr["dtype"].type for name in names]
    texts = [list(text) for text in zip(*names.values(), strict=True)]
    values = tf.raw_ops.RestoreV2(prefix=str(prefix), tensor_names=texts[0], shape_and_slices=texts[1], dtypes=dtypes)
    session.run([_assignment(variables[name], value) for name, value in zip(names, values, strict=True)])


def _check_fits(variables: Mapping[str, Any], names: Mapping[str, Stored], prefix: Path) -> None:
    stored = stored_tensors(prefix)
    declared = {}
    for variable, (name, part) in names.items():
        shape = tf.TensorShape(variables[variable].attr["shape"].shape)
        # For a slice of a variable, or a variable of unknown shape, the file determines the shape.
        known = shape.is_fully_defined() and not part
        dtype = tf.as_dtype(variables[variable].attr["dtype"].type).name
        declared[name] = Tensor(dtype, tuple(shape.as_list())) if known else stored.get(name, Tensor(dtype, ()))
    found = differences({name: stored[name] for name in declared if name in stored}, declared)
    if found:
        shown = "\n  ".join(found[:30])
        raise RequestError(f"{prefix} does not match the graph of its .meta; nothing was restored:\n  {shown}")


def _assignment(variable: Any, value: Any) -> Any:
    tensor = v1.get_default_graph().get_tensor_by_name(f"{variable.name}:0")
    if variable.op == RESOURCE_VARIABLE:
        return tf.raw_ops.AssignVariableOp(resource=tensor, value=value)
    return v1.assign(tensor, value, validate_shape=False).op
